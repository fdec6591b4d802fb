"""Writes the parts of the documentation that are made from the code.

A generated part stands between two comments in a page that is otherwise written by hand. Add one
by writing the comments into the page and a function into PARTS.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from textwrap import fill
from typing import Any

import check_cases
import python_reference
import reference_pages
import sync_code
from markdown_table import table

from paraph.model.grant import GRANT_TRANSITIONS
from paraph.model.link import LINK_TRANSITIONS
from paraph.operations.findings.rule import RULES, SEVERITIES
from paraph.outgoing.failure import Cause, failure
from paraph.simulator.app import create_simulator
from paraph.simulator.state.behaviours import all_behaviours
from paraph.simulator.state.world import default_world
from paraph.simulator.webhooks.event_catalogue import catalogue

DOCS = Path(__file__).parent
PROJECT = DOCS.parent / "pyproject.toml"
PACKAGE = DOCS.parent / "src" / "paraph"


def behaviours() -> str:
    """Everything that the simulator imitates, each with its mark."""
    pieces = []
    for area, rows in groupby(all_behaviours(), key=lambda row: row.area):
        shown = table(
            ("what", "mark", "source"), [(row.text, row.mark, row.source) for row in rows]
        )
        pieces.append(f"#### {area[0].upper()}{area[1:]}\n\n{shown}")
    return "\n\n".join(pieces)


def faults() -> str:
    """Every fault with its documentation and what may be set."""
    listed = create_simulator(default_world()).faults.listing()
    pieces = []
    for place, rows in groupby(listed, key=lambda row: str(row["place"])):
        cells = [
            (f"`{row['name']}`", row["documentation"], _settings(row["parameters"])) for row in rows
        ]
        pieces.append(f"#### {place}\n\n{table(('name', 'what it does', 'settings'), cells)}")
    return "\n\n".join(pieces)


def events() -> str:
    """Every event that can be sent with a realistic body."""
    grouped = groupby(sorted(catalogue()), key=lambda name: name.partition(".")[0])
    lines = [fill(" ".join(names), 100, break_on_hyphens=False) for _, names in grouped]
    return "```text\n" + "\n\n".join(lines) + "\n```"


def phases() -> str:
    """The phases of links and grants, from their tables of transitions."""
    diagrams = (
        f"{title}:\n\n```mermaid\n{phases.to_mermaid()}```"
        for title, phases in (("A link", LINK_TRANSITIONS), ("A grant", GRANT_TRANSITIONS))
    )
    return "\n\n".join(diagrams)


def packages() -> str:
    """Every folder of the package: the first sentence of its docstring, and its modules."""
    rows = []
    for folder in sorted(path.parent for path in PACKAGE.rglob("__init__.py")):
        name = str(folder.relative_to(PACKAGE.parent))
        modules = [path for path in folder.glob("*.py") if path.stem != "__init__"]
        if folder != PACKAGE:
            depth = name.count("/") - 1
            shown = "&nbsp;" * 4 * depth + f"`{name.removeprefix('paraph/')}/`"
            rows.append((shown, sentence_of(name), str(len(modules))))
    return table(("folder", "holds", "modules"), rows)


def sentence_of(folder: str) -> str:
    """Return the first sentence of a package's docstring; "" if it has none."""
    text = (PACKAGE.parent / folder / "__init__.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0].replace("\n", " ")


def layers() -> str:
    """The order of imports, from the first contract of import-linter."""
    contracts = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]
    contract = next(one for one in contracts["contracts"] if one["type"] == "layers")
    lines = [re.sub(r"paraph\.|[()]", "", line) for line in contract["layers"]]
    return "```\n" + "\n".join(lines) + "\n```"


def doors() -> str:
    """Every other contract of import-linter, with what is forbidden to whom."""
    contracts = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]
    rows = []
    for one in contracts["contracts"]:
        if one["type"] == "forbidden":
            names = (name.removeprefix("paraph.") for name in one["forbidden_modules"])
            rows.append((one["name"], ", ".join(f"`{name}`" for name in names)))
    return table(("contract", "may not import"), rows)


def causes() -> str:
    """Every cause of an outgoing request that brought no response."""
    example: dict[str, Any] = {
        "peer": "https://zoom.us",
        "proxy": "http://proxy.internal:3128",
        "seconds": 6.0,
    }
    rows = []
    for cause in Cause:
        extra = {Cause.PROXY_REFUSED: "403", Cause.PROXY_FAILED: "503"}.get(cause, "")
        if cause is Cause.RESPONSE_TOO_LARGE:
            extra = "one mebibyte"
        error = failure(cause, extra=extra, **example)
        rows.append((f"`{cause}`", error.detail.replace(_THROUGH, ""), error.remedy))
    return table(("cause", "log (an example)", "remedy"), rows)


def rules() -> str:
    """Every rule of the doctor, the worst first."""
    ordered = sorted(RULES.items(), key=lambda one: SEVERITIES.index(one[1].severity))
    rows = [(f"`{name}`", one.severity, one.title, one.source) for name, one in ordered]
    return table(("rule", "severity", "weakness", "source"), rows)


_THROUGH = " (through the proxy http://proxy.internal:3128)"


PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "explanation/design.md": {
        "packages": packages,
        "layers": layers,
        "doors": doors,
        "phases": phases,
    },
    "reference/doctor.md": {"rules": rules},
    "how-to/outgoing.md": {"causes": causes},
    "reference/cli.md": {"commands": reference_pages.commands},
    "reference/errors.md": {
        "errors by code": reference_pages.errors_by_code,
        "errors by text": reference_pages.errors_by_text,
    },
    "reference/http-api.md": {
        "problems": reference_pages.problems_of_all,
        "calls": reference_pages.http_api,
    },
    "reference/metrics.md": {"metrics": reference_pages.metrics},
    "reference/python.md": {
        "calls": python_reference.calls,
        "handle": python_reference.handle,
        "values": python_reference.values,
        "exceptions": python_reference.errors,
        "objects": python_reference.objects,
    },
    "reference/check-cases.md": {
        "contents": check_cases.contents,
        "fixes": check_cases.fixes,
        "cases": check_cases.cases,
    },
    "reference/simulator.md": {"behaviours": behaviours, "faults": faults, "events": events},
}


def pages() -> dict[Path, str]:
    """Every page with generated parts and every other generated file, as it should read."""
    written = sync_code.modules()
    written[DOCS / "reference" / "openapi.json"] = reference_pages.openapi_text()
    for name, parts in PARTS.items():
        text = (DOCS / name).read_text(encoding="utf-8")
        for part, write in parts.items():
            text = _replace(text, part, write())
        written[DOCS / name] = text
    return written


def main() -> None:
    """Write the pages anew; say which have changed."""
    for path, text in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(DOCS.parent)}")


def _replace(text: str, part: str, content: str) -> str:
    begin, end = f"<!-- generated: {part} -->", "<!-- end of generated -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        sys.exit(f"the part {part} does not stand in its page exactly once")
    return pattern.sub(lambda _found: f"{begin}\n\n{content}\n\n{end}", text)


def _settings(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` ({_shown(value)})" for name, value in parameters.items())


def _shown(value: Any) -> str:
    # Some defaults hold what no page should hold raw: line breaks, controls.
    text = str(value).encode("unicode_escape").decode("ascii")
    return f"`{text}`" if text else "empty"


if __name__ == "__main__":
    main()
