"""`paraph explain`: checks one captured request and shows the outcome of every step."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paraph.cli.command_group import CommandGroup
from paraph.cli.explain_settings import ExplainSettings
from paraph.cli.settings_file import config_option
from paraph.errors import ConfigurationError, UsageError
from paraph.explain.capture import (
    MAX_BYTES,
    REMEDY,
    CapturedRequest,
    Fits,
    join_capture,
    read_capture,
)
from paraph.extras import needs

if TYPE_CHECKING:
    from paraph.explain.explanation import Explanation
    from paraph.sealing.key_ring import KeyRing


@click.group(cls=CommandGroup)
def explain() -> None:
    """Explain step by step why one captured request is accepted or refused."""


def _request_parameters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the argument and the options that all kinds of request share to a command."""
    file = click.Path(path_type=Path, allow_dash=True)
    parameters: list[Callable[[Any], Any]] = [
        click.argument("request", metavar="[FILE]", required=False, type=file),
        click.option("--headers", type=file, help="A file with only the headers, instead of FILE."),
        click.option("--body", type=file, help="A file with only the body, byte for byte."),
        click.option("--at", type=float, help="Check at this time (epoch seconds) instead of now."),
        click.option(
            "--entry",
            type=int,
            help="The number of an entry of a recording, from 1.",
        ),
        click.option("--client-id", default="", show_default=False, help="The app's client id."),
        config_option,
    ]
    for parameter in reversed(parameters):
        command = parameter(command)
    return command


def _secret_option(what: str) -> Callable[[Any], Any]:
    return click.option(
        "--secret",
        "secrets",
        multiple=True,
        help=f"{what}, instead of the one in the settings. Repeatable.",
    )


@explain.command("webhook")
@_request_parameters
@_secret_option("The webhook's secret token")
def explain_webhook(
    *, at: float | None, client_id: str, config: Path | None, secrets: tuple[str, ...], **where: Any
) -> None:
    """Explain a webhook delivery and its effect.

    The steps are headers, freshness, signature and event. If the signature does not match, the
    usual causes are tried. FILE is raw HTTP text, a cURL command, a HAR file, an API Gateway or
    Lambda event, or an entry of Zoom's webhook log; - is standard input.
    """
    from paraph.explain.delivery import DeliverySettings, explain_delivery
    from paraph.zoom.webhook_verification import SIGNATURE_HEADER, Freshness

    captured = _captured(fits=lambda one: one.header(SIGNATURE_HEADER) is not None, **where)
    known = ExplainSettings(config)
    is_signed = captured.header(SIGNATURE_HEADER) is not None
    settings = DeliverySettings(
        # Without a signature a secret cannot verify anything.
        secrets=known.secrets(secrets, "webhook_secrets", "Secret token") if is_signed else (),
        client_id=client_id or known.text("client_id"),
        client_secret=known.text("client_secret"),
        level=known.level(),
        freshness=Freshness(
            known.number("freshness_past", 7200), known.number("freshness_future", 300)
        ),
    )
    _print(explain_delivery(settings, captured, now=_now(at)))


@explain.command("context")
@_request_parameters
@_secret_option("The app's client secret")
def explain_context(
    *, at: float | None, client_id: str, config: Path | None, secrets: tuple[str, ...], **where: Any
) -> None:
    """Explain an X-Zoom-App-Context header of a Home URL request.

    FILE is raw HTTP text, a cURL command, a HAR file, or an API Gateway or Lambda event; - is
    standard input.
    """
    with needs("installs", "`paraph explain context`"):
        from paraph.explain.app_context_header import HEADER, explain_app_context

    captured = _captured(fits=lambda one: one.header(HEADER) is not None, **where)
    known = ExplainSettings(config)
    client_id = client_id or known.text("client_id")
    if not client_id:
        raise ConfigurationError(
            ["client_id is missing"],
            remedy="Give --client-id, PARAPH_CLIENT_ID or a paraph.toml with client_id.",
        )
    found = explain_app_context(
        captured,
        client_id=client_id,
        client_secrets=known.secrets(secrets, "client_secret", "Client secret"),
        now=_now(at),
    )
    _print(found)


@explain.command("redirect")
@_request_parameters
def explain_redirect(**options: Any) -> None:
    """Explain a request at the redirection endpoint.

    The steps are shape, state, age, issuer, consent and code. The cookie is opened with the
    encryption keys of the settings. FILE is raw HTTP text, a cURL command or a HAR file; - is
    standard input.
    """
    _explain_redirect(**options)


@explain.command("callback", hidden=True)
@_request_parameters
def explain_callback(**options: Any) -> None:
    """Explain a request at the redirection endpoint, under its old name."""
    click.echo("note: `explain callback` is now `explain redirect`", err=True)
    _explain_redirect(**options)


def _explain_redirect(
    *, at: float | None, client_id: str, config: Path | None, **where: Any
) -> None:
    with needs("installs", "`paraph explain redirect`"):
        from paraph.explain.redirect import CookieOpener, explain_redirect, may_be_redirect
    from paraph.oauth.roles import Client
    from paraph.secret import Secret

    captured = _captured(fits=may_be_redirect, **where)
    known = ExplainSettings(config)
    client_id = client_id or known.text("client_id")
    missing = [
        f"{name} is missing"
        for name, value in (
            ("client_id", client_id),
            ("public_url", known.text("public_url")),
            (
                "encryption_keys",
                known.texts("encryption_keys") or known.text("encryption_keys_file"),
            ),
        )
        if not value
    ]
    if missing:
        raise ConfigurationError(
            missing,
            remedy="Give a paraph.toml with them: they open the browser's cookie.",
        )
    known.demand_urls("public_url", "authorization_server")
    redirect_uri = f"{known.text('public_url').rstrip('/')}/oauth/redirect"
    opener = CookieOpener(
        _ring(known, config),
        Client(client_id, Secret(""), redirect_uri),
        time.time if at is None else lambda: at,
    )
    server = known.text("authorization_server") or "https://zoom.us"
    _print(explain_redirect(opener, captured, authorization_server=server))


def _ring(known: ExplainSettings, config: Path | None) -> KeyRing:
    from paraph.sealing.key_ring import KeyRing
    from paraph.settings.keys import is_wrapped, read_private_lines

    keys, problems = known.texts("encryption_keys"), list[str]()
    if not keys:
        keys, problems = read_private_lines(
            "encryption_keys_file", known.text("encryption_keys_file")
        )
    if problems:
        raise ConfigurationError(problems)
    if any(map(is_wrapped, keys)):
        import asyncio

        from paraph.operations.open_key_ring import open_ring
        from paraph.settings.loading import load_settings

        return asyncio.run(open_ring(load_settings(config)))
    return KeyRing.parse(keys)


def _captured(
    *, request: Path | None, headers: Path | None, body: Path | None, entry: int | None, fits: Fits
) -> CapturedRequest:
    """Return the request of FILE, or of two files with headers and body."""
    if (request is None) == (headers is None):
        raise UsageError("no request is given: give FILE, or --headers and --body", remedy=REMEDY)
    if request is not None:
        if body is not None:
            raise UsageError("--body goes with --headers, not with FILE", remedy=REMEDY)
        return read_capture(_content(request), entry=entry, fits=fits)
    if headers is None or (str(headers) == "-" and body is not None and str(body) == "-"):
        raise UsageError("headers and body cannot both be standard input", remedy=REMEDY)
    return join_capture(_content(headers), b"" if body is None else _content(body))


def _content(source: Path) -> bytes:
    try:
        if str(source) == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with source.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}", remedy=REMEDY) from None


def _now(at: float | None) -> float:
    return time.time() if at is None else at


def _print(found: Explanation) -> None:
    """Print the explanation; exit 1 if the request is refused."""
    for line in found.lines():
        click.echo(line)
    if not found.is_accepted:
        click.get_current_context().exit(1)
