"""`paraph explain`: one captured request in, the verdict of every step out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Protocol

import typer

from paraph.cli.captured_request import CapturedRequest, read_captured_request
from paraph.cli.settings_file import ConfigOption, with_context
from paraph.config import load_settings
from paraph.errors import PeerError, StateMismatch
from paraph.lifecycle.context import Context
from paraph.lifecycle.pending_authorization import open_pending
from paraph.oauth import authorization_response
from paraph.service.cookies import parse_cookies
from paraph.zoom import app_context, webhook
from paraph.zoom.events import URL_VALIDATION, parse_event, parse_url_validation

explain = typer.Typer(
    help="Say step by step why one captured request is accepted or refused.",
    no_args_is_help=True,
)

RequestArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Raw HTTP/1.1 text or a HAR entry; - for stdin.")
]
AtOption = Annotated[
    float | None,
    typer.Option("--at", help="Judge as of this time (epoch seconds); now by default."),
]


class Step(Protocol):
    """What the steps of all three kinds have in common."""

    @property
    def name(self) -> str:
        """Short and stable."""

    @property
    def proves(self) -> str:
        """What holds once it has passed."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The steps in order, and where the request failed, if it did."""

    steps: Sequence[Step]
    failed: Step | None
    error: PeerError | None


def explain_steps(
    steps: Sequence[Step], judge: Callable[[], None], step_of: Callable[[PeerError], Step | None]
) -> Explanation:
    """Run the real check, and learn from its error at which step it stopped."""
    try:
        judge()
    except PeerError as error:
        return Explanation(steps, step_of(error) or steps[0], error)
    return Explanation(steps, None, None)


def print_explanation(explanation: Explanation) -> None:
    """One line for each step; exit 1 when the request is refused."""
    reached = True
    for step in explanation.steps:
        if step is explanation.failed and explanation.error is not None:
            typer.echo(f"refused   {step.name}: {explanation.error.detail}")
            reached = False
        elif reached:
            typer.echo(f"held      {step.name}: {step.proves}")
        else:
            typer.echo(f"not asked {step.name}")
    if explanation.failed is not None:
        typer.echo("verdict: refused")
        raise typer.Exit(1)
    typer.echo("verdict: accepted")


@explain.command("webhook")
def explain_webhook(
    request: RequestArgument, at: AtOption = None, config: ConfigOption = None
) -> None:
    """A webhook delivery: headers, freshness, signature, event."""
    settings = load_settings(config)
    captured = read_captured_request(request)

    def judge() -> None:
        fresh = webhook.check_delivery_headers(
            captured.headers,
            now=time.time() if at is None else at,
            freshness=webhook.Freshness(settings.freshness_past, settings.freshness_future),
        )
        delivery = webhook.verify_webhook(fresh, captured.body, secrets=settings.webhook_secrets)
        event = parse_event(delivery)
        if event.name == URL_VALIDATION:
            parse_url_validation(event)

    # Whether it is a first arrival only the inbox of the running service knows.
    steps = [one for one in webhook.VERIFICATION_STEPS if one.name != "first arrival"]
    print_explanation(explain_steps(steps, judge, webhook.step_of))


@explain.command("context")
def explain_context(
    request: RequestArgument, at: AtOption = None, config: ConfigOption = None
) -> None:
    """An X-Zoom-App-Context header of a Home URL request."""
    settings = load_settings(config)
    header = read_captured_request(request).header(b"x-zoom-app-context") or b""

    def judge() -> None:
        app_context.open_app_context(
            header,
            client_secret=settings.client_secret,
            client_id=settings.client_id,
            now=time.time() if at is None else at,
        )

    print_explanation(explain_steps(app_context.VERIFICATION_STEPS, judge, app_context.step_of))


@explain.command("callback")
def explain_callback(
    request: RequestArgument, at: AtOption = None, config: ConfigOption = None
) -> None:
    """A request at the redirection endpoint: shape, state, age, issuer, consent, code."""
    captured = read_captured_request(request)

    async def work(context: Context) -> Explanation:
        return explain_callback_in(_as_of(context, at), captured)

    print_explanation(with_context(config, work))


def _as_of(context: Context, at: float | None) -> Context:
    if at is None:
        return context
    return replace(context, clock=lambda: at)


def explain_callback_in(context: Context, captured: CapturedRequest) -> Explanation:
    """Judge a captured authorization response as the redirection endpoint does."""

    def judge() -> None:
        response = authorization_response.parse_authorization_response(captured.raw_query)
        if response.state is None:
            # As from the Marketplace: the service drops the code and begins a flow of its own.
            raise StateMismatch("there is no state: this did not begin in the app")
        pending = open_pending(
            context, state=response.state, cookies=parse_cookies(captured.headers)
        )
        authorization_response.validate_authorization_response(
            response,
            pending.request,
            server=context.authorization_server.server,
            now=context.now(),
        )

    return explain_steps(
        authorization_response.VALIDATION_STEPS, judge, authorization_response.step_of
    )
