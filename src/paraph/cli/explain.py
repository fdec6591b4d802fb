"""`paraph explain`: one captured request in, the verdict of every step out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from paraph.cli.captured_request import CapturedRequest, read_captured_request
from paraph.cli.command_group import CommandGroup
from paraph.cli.settings_file import config_option
from paraph.errors import PeerError, StateMismatch

if TYPE_CHECKING:
    from paraph.config import Settings
    from paraph.oauth.roles import Client
    from paraph.storage.encryption import KeyRing
    from paraph.zoom.events import Event


@click.group(cls=CommandGroup)
def explain() -> None:
    """Say step by step why one captured request is accepted or refused."""


def _request_parameters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument and the options that all kinds of request share."""
    parameters: list[Callable[[Any], Any]] = [
        click.argument("request", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True)),
        click.option("--at", type=float, help="Use this time (epoch seconds) instead of now."),
        click.option(
            "--entry", type=int, help="The entry of a HAR file, from 1, if several could be meant."
        ),
        config_option,
    ]
    for parameter in reversed(parameters):
        command = parameter(command)
    return command


class Step(Protocol):
    """What the steps of all three kinds have in common."""

    @property
    def name(self) -> str:
        """Short and stable."""

    @property
    def proves(self) -> str:
        """What holds once it has passed."""


@dataclass(frozen=True, slots=True)
class RequestStep:
    """What is asked before anything in a request is looked at: the first of the steps."""

    name: str
    proves: str


class NotAsked(PeerError):
    """Another request than the endpoint takes."""

    code = "not_asked"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The steps in order, and where the request failed, if it did."""

    steps: Sequence[Step]
    failed: Step | None
    error: PeerError | None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CookieOpener:
    """What opens a pending authorization: keys and time, and no store that could be changed."""

    ring: KeyRing
    client: Client
    clock: Callable[[], float]

    def now(self) -> int:
        """Epoch seconds, whole."""
        return int(self.clock())


def explain_steps(
    steps: Sequence[Step],
    judge: Callable[[], None],
    step_of: Callable[[PeerError], Step | None],
    notes: Sequence[str] = (),
) -> Explanation:
    """Run the real check, and learn from its error at which step it stopped."""
    try:
        judge()
    except PeerError as error:
        return Explanation(steps, step_of(error) or steps[0], error, notes)
    return Explanation(steps, None, None, notes)


def print_explanation(explanation: Explanation, *notes: str) -> None:
    """One line for each step; exit 1 when the request is refused."""
    reached = True
    for step in explanation.steps:
        if step is explanation.failed and explanation.error is not None:
            click.echo(f"refused   {step.name}: {explanation.error.detail}")
            reached = False
        elif reached:
            click.echo(f"held      {step.name}: {step.proves}")
        else:
            click.echo(f"not asked {step.name}")
    for note in (*explanation.notes, *notes):
        click.echo(f"note      {note}")
    if explanation.failed is not None:
        click.echo("verdict: refused")
        raise click.exceptions.Exit(1)
    click.echo("verdict: accepted")


_DELIVERY = RequestStep("request", "It is a POST of /webhook with at most a mebibyte.")
_RESPONSE = RequestStep("request", "It is a GET of /oauth/redirect that somebody asked for.")


@explain.command("webhook")
@_request_parameters
def explain_webhook(
    *, request: Path, at: float | None, entry: int | None, config: Path | None
) -> None:
    """Explain a webhook delivery.

    The steps are headers, freshness, signature and event.
    FILE is raw HTTP/1.1 text or a HAR entry; - is standard input.
    """
    from paraph.config import load_settings
    from paraph.zoom import webhook

    settings = load_settings(config)
    captured = read_captured_request(
        request, entry=entry, fits=lambda one: one.header(webhook.SIGNATURE_HEADER) is not None
    )
    now = time.time() if at is None else at
    print_explanation(explain_delivery(settings, captured, now=now), *captured.notes)


def explain_delivery(settings: Settings, captured: CapturedRequest, *, now: float) -> Explanation:
    """Judge a captured delivery as the webhook does."""
    from paraph.zoom import webhook
    from paraph.zoom.events import parse_event

    steps: list[Step] = [_DELIVERY]
    steps += [s for s in webhook.VERIFICATION_STEPS if s.name != "first arrival"]
    notes = ["whether it arrived before, only the running service knows."]

    def judge() -> None:
        if (captured.method, captured.path) != ("POST", "/webhook"):
            raise NotAsked(f"it is a {captured.method} of {captured.path}")
        if len(captured.body) > webhook.MAX_BODY_BYTES:
            raise NotAsked(f"its body has {len(captured.body)} bytes")
        fresh = webhook.check_delivery_headers(
            captured.headers,
            now=now,
            freshness=webhook.Freshness(settings.freshness_past, settings.freshness_future),
        )
        delivery = webhook.verify_webhook(fresh, captured.body, secrets=settings.webhook_secrets)
        if delivery.secret_index:
            notes.append(f"webhook_secrets[{delivery.secret_index}] signed it, an older one.")
        notes.append(_effect_of(settings, parse_event(delivery)))

    return explain_steps(steps, judge, webhook.step_of, notes)


def _effect_of(settings: Settings, event: Event) -> str:
    from paraph.zoom.events import (
        APP_DEAUTHORIZED,
        URL_VALIDATION,
        parse_app_deauthorized,
        parse_url_validation,
    )

    if event.name == URL_VALIDATION:
        parse_url_validation(event)
        return "it is a challenge: it is answered, and kept nowhere."
    if event.name == APP_DEAUTHORIZED:
        if parse_app_deauthorized(event).client_id != settings.client_id:
            return "it removes another client's app: it has no effect here."
        return "it removes the app for that person, if no consent came after it."
    return f"its event is {event.name}."


@explain.command("context")
@_request_parameters
def explain_context(
    *, request: Path, at: float | None, entry: int | None, config: Path | None
) -> None:
    """Explain the X-Zoom-App-Context header of a Home URL request.

    FILE is raw HTTP/1.1 text or a HAR entry; - is standard input.
    """
    from paraph.config import load_settings
    from paraph.zoom import app_context

    settings = load_settings(config)
    name = b"x-zoom-app-context"
    captured = read_captured_request(
        request, entry=entry, fits=lambda one: one.header(name) is not None
    )

    def judge() -> None:
        app_context.open_app_context(
            captured.header(name) or b"",
            client_secret=settings.client_secret,
            client_id=settings.client_id,
            now=time.time() if at is None else at,
        )

    explained = explain_steps(app_context.VERIFICATION_STEPS, judge, app_context.step_of)
    print_explanation(explained, *captured.notes)


@explain.command("callback")
@_request_parameters
def explain_callback(
    *, request: Path, at: float | None, entry: int | None, config: Path | None
) -> None:
    """Explain a request at the redirection endpoint.

    The steps are shape, state, age, issuer, consent and code.
    FILE is raw HTTP/1.1 text or a HAR entry; - is standard input.
    """
    import asyncio

    from paraph.config import load_settings
    from paraph.oauth.roles import Client
    from paraph.service.keys import open_ring

    settings = load_settings(config)
    captured = read_captured_request(
        request, entry=entry, fits=lambda one: one.path == "/oauth/redirect"
    )
    ring = asyncio.run(open_ring(settings))
    client = Client(settings.client_id, settings.client_secret, settings.redirect_uri)
    opener = CookieOpener(ring, client, time.time if at is None else lambda: at)
    print_explanation(explain_response(settings, opener, captured), *captured.notes)


def explain_response(
    settings: Settings, opener: CookieOpener, captured: CapturedRequest
) -> Explanation:
    """Judge a captured authorization response as the redirection endpoint does."""
    from paraph.lifecycle.pending_authorization import open_pending
    from paraph.oauth import authorization_response
    from paraph.service.cookies import parse_cookies
    from paraph.service.visit import Visit
    from paraph.zoom.server_metadata import zoom_authorization_server

    steps: list[Step] = [_RESPONSE, *authorization_response.VALIDATION_STEPS]
    notes = ["whether its state was used before, only the running service knows."]
    if captured.header(b"cookie") is None:
        notes.append("the capture holds no cookies; recorders leave them out unless told to keep.")

    def judge() -> None:
        if (captured.method, captured.path) != ("GET", "/oauth/redirect"):
            raise NotAsked(f"it is a {captured.method} of {captured.path}")
        if Visit({"headers": captured.headers}, ()).unasked:
            raise NotAsked("it is a prefetch: nothing is done, and nothing used up")
        response = authorization_response.parse_authorization_response(captured.raw_query)
        if response.state is None:
            # As from the Marketplace: the service drops the code and begins a flow of its own.
            raise StateMismatch("there is no state: this did not begin in the app")
        pending = open_pending(
            opener, state=response.state, cookies=parse_cookies(captured.headers)
        )
        authorization_response.validate_authorization_response(
            response,
            pending.request,
            server=zoom_authorization_server(settings.authorization_server),
            now=opener.now(),
        )

    return explain_steps(steps, judge, authorization_response.step_of, notes)
