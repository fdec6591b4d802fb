"""Writes the reference of the command line, the HTTP API, the metrics and the errors."""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import click
from markdown_table import table
from prometheus_client.parser import text_string_to_metric_families

from paraph.api.document import EVERYWHERE, ApiKeyDependency, openapi_of
from paraph.api.framework import create_framework
from paraph.cli.check_init import CommandWithInit
from paraph.cli.main import app
from paraph.errors import ParaphError
from paraph.model.event import Backlog
from paraph.service.metrics import DeliveryMetrics

_METHODS = ("get", "post", "put", "patch", "delete")


def commands() -> str:
    """Every command with its arguments and options."""
    # A command keeps the help option of the first context that it sees: the app's own, with -h.
    context = app.make_context("paraph", [], resilient_parsing=True)
    return "\n\n".join(_commands(app, "paraph", context))


def _commands(group: click.Group, name: str, context: click.Context) -> Iterator[str]:
    for one in group.list_commands(context):
        command = group.get_command(context, one)
        assert command is not None  # noqa: S101 - The group lists it.
        below = click.Context(command, info_name=one, parent=context)
        yield _command(command, f"{name} {one}", below)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{name} {one}", below)
        elif isinstance(command, CommandWithInit):
            for word, inner in command.commands.items():
                context_below = click.Context(inner, info_name=word, parent=below)
                yield _command(inner, f"{name} {one} {word}", context_below)


def _command(command: click.Command, name: str, context: click.Context) -> str:
    usage = " ".join(["Usage:", name, *command.collect_usage_pieces(context)])
    text = "\n\n".join(
        " ".join(part.split()) for part in (command.help or "").replace("\b\n", "").split("\n\n")
    )
    pieces = [f"## `{name}`", text, f"```text\n{usage}\n```"]
    records = (one.get_help_record(context) for one in command.get_params(context))
    rows = [(f"`{record[0]}`", record[1]) for record in records if record is not None]
    # Each command has --help, which needs no row.
    rows = [row for row in rows if "--help" not in row[0]]
    return "\n\n".join([*pieces, table(("option", "meaning"), rows)] if rows else pieces)


def errors_by_code() -> str:
    """Every error code that may reach a caller, with its status, text and remedy."""
    rows = [
        (f"`{kind.code}`", str(kind.status), kind.public_message, kind.default_remedy)
        for kind in _errors()
    ]
    return table(("code", "status", "text", "what to do"), dict.fromkeys(rows))


def errors_by_text() -> str:
    """Every text of an error, with the codes that have it."""
    codes: dict[str, list[str]] = defaultdict(list)
    for kind in _errors():
        if f"`{kind.code}`" not in codes[kind.public_message]:
            codes[kind.public_message].append(f"`{kind.code}`")
    return table(("text", "codes"), [(text, ", ".join(codes[text])) for text in sorted(codes)])


def _errors() -> list[type[ParaphError]]:
    # Those of `paraph.client` stand below the same root, and no response has them.
    found = {kind for kind in _below(ParaphError) if kind.__module__.startswith("paraph.errors.")}
    return sorted(found, key=lambda kind: (kind.code, kind.__name__))


def _below(root: type[ParaphError]) -> set[type[ParaphError]]:
    return {one for kind in root.__subclasses__() for one in {kind, *_below(kind)}}


def metrics() -> str:
    """Every metric, as `/metrics` of a service shows it."""
    families = text_string_to_metric_families(asyncio.run(_metrics()).decode())
    rows = []
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = sorted({label for sample in family.samples for label in sample.labels})
        shown = ", ".join(f"`{label}`" for label in labels)
        rows.append((f"`{name}`", family.type, shown, family.documentation))
    return table(("metric", "type", "labels", "meaning"), sorted(rows))


async def _metrics() -> bytes:
    one = {"example": 1}
    flow = SimpleNamespace(kept=1, duplicate=1, batches=1, largest_batch=1)
    backlog = Backlog(waiting=1, urgent=1, dead=1, oldest_received_at=1)

    async def read() -> Backlog:
        return backlog

    async def read_pause() -> None:
        return None

    @asynccontextmanager
    async def reading() -> AsyncIterator[Any]:
        yield part(events=part(backlog=read), forwarding_pause=part(get=read_pause))

    def part(**members: Any) -> Any:
        return SimpleNamespace(**members)

    return await DeliveryMetrics(
        part(store=part(reading=reading, announcements_failed=1), now=lambda: 1),
        part(refused=one, late=1, old_secret=1),
        part(flow=flow, waiting=1, dropped=part(by_reason=_Counted())),
        part(without_installation=one, outcomes=one, under_way=1),
        proxies=part(refused=one),
        redirects=part(by_reason=one),
        zoom_clock=part(skew=1),
        failures={"example": one},
    )()


class _Counted(dict[str, int]):
    def __missing__(self, key: str) -> int:
        return 0

    def total(self) -> int:
        return 0


@cache
def openapi() -> Mapping[str, Any]:
    """The OpenAPI document of the management API; no service runs for it."""
    nothing = cast("Any", None)
    framework = create_framework(nothing, nothing, nothing, public_url="https://zoom.example")
    return openapi_of(framework, ApiKeyDependency(nothing))


def openapi_text() -> str:
    """The OpenAPI document as a file."""
    return json.dumps(openapi(), indent=1, ensure_ascii=False) + "\n"


def http_api() -> str:
    """Every call of the management API, from its OpenAPI document."""
    return "\n\n".join(
        _operation(method, path, item[method])
        for path, item in openapi()["paths"].items()
        for method in _METHODS
        if method in item
    )


def _operation(method: str, path: str, one: Mapping[str, Any]) -> str:
    text = one.get("description") or f"{one['summary']}."
    pieces = [f"### `{method.upper()} {path}`", text]
    fields = [
        (f"`{row['name']}`", row["in"], _type(row["schema"]), row.get("description", ""))
        for row in one.get("parameters", [])
    ]
    body = one.get("requestBody", {}).get("content", {}).get("application/json", {})
    for name, schema in _members(body.get("schema", {})):
        fields.append((f"`{name}`", "body", _type(schema), schema.get("description", "")))
    if fields:
        pieces.append(table(("name", "in", "type", "meaning"), fields))
    if responses := _responses(one["responses"]):
        pieces.append(table(("status", "response"), responses))
    success = one["responses"].get("200") or one["responses"].get("201") or {}
    schema = success.get("content", {}).get("application/json", {}).get("schema", {})
    if members := [
        (f"`{name}`", _type(field), field.get("description", ""))
        for name, field in _members(schema)
    ]:
        pieces.append(table(("member of the response", "type", "meaning"), members))
    return "\n\n".join(pieces)


def problems_of_all() -> str:
    """The problems that every call of the management API can have."""
    rows = ((f"{status}", row["description"]) for status, row in sorted(EVERYWHERE.items()))
    return table(("status", "response"), rows)


def _responses(responses: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The responses of a call beside those of all calls and of a plain success."""
    known = {(str(status), row["description"]) for status, row in EVERYWHERE.items()}
    rows = ((status, row["description"]) for status, row in sorted(responses.items()))
    return [row for row in rows if row not in known and row[1] != "Successful Response"]


def _members(schema: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if reference := schema.get("$ref"):
        return _members(openapi()["components"]["schemas"][reference.rpartition("/")[2]])
    members: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    return members.items()


def _type(schema: Mapping[str, Any]) -> str:
    if reference := schema.get("$ref"):
        return str(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", reference.rpartition("/")[2]).lower())
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_type(one) for one in schema[several])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    return str(schema.get("type", "any"))
