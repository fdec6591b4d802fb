"""The control API's calls for webhooks and Zoom Apps; `control` has the other calls.

- `GET /events`: every event with a realistic body, `{"events": [{"event", "family", "mark"}]}`.
- `GET /mails`: the mails that Zoom would have sent to owners, `{"mails": [{"time", "to",
  "client_id", "url", "failures", "subject"}]}`.
- `GET /subscriptions`: every event URL, of forms and of the API, with its state.
- `POST /event-url` `{"client_id", "url"}`: save the form; kept only if the challenge passes.
- `GET /variants`: the variants of `POST /deauthorize` and of contexts, each with one line.
- `POST /app-context` `{"client_id", "user_id", "place"?, "variant"?, "act"?}`: `{"header"}`.
- `POST /open-home` `{"client_id", "user_id", "place"?, "variant"?, "deeplink"?}`: open the Home
  URL as Zoom's client does, `{"url", "status", "shown", "problems", "context"}`.
- `POST /in-client-authorize` `{"client_id", "user_id", "code_challenge", "state"?, "allow"?}`:
  the content of the event onAuthorized, `{"code", "redirectUri", "result", "timestamp", "state"?}`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request

from paraph.simulator.apps import app_context, deauthorization
from paraph.simulator.apps.administration import AppOrder
from paraph.simulator.apps.zoom_apps import open_home
from paraph.simulator.engine import Simulator
from paraph.simulator.oauth.in_client_authorization import authorize_in_client
from paraph.simulator.webhooks.event_catalogue import catalogue

Work = Callable[[Request, Any], Awaitable[Any]]


class UserOrder(AppOrder):
    """An order that names a user and an app."""

    user_id: str


class EventUrlOrder(AppOrder):
    """The event URL to save in an app's form."""

    url: str


class ContextOrder(UserOrder):
    """The context to make: a user, an app, a place, a variant, and the action of a deep link."""

    place: str = "panel"
    variant: str = ""
    act: str = ""


class OpeningOrder(UserOrder):
    """The Home URL to open: a user, an app, a place, a variant, and a deep link."""

    place: str = "panel"
    variant: str = ""
    deeplink: str = ""


class InClientOrder(UserOrder):
    """The arguments of zoomSdk.authorize, and whether the user allows it."""

    code_challenge: str = ""
    state: str | None = None
    allow: bool = True


class HooksControl:
    """Calls about webhooks and Zoom Apps."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def table(self) -> list[tuple[str, str, Work, Any]]:
        """Return method, path, work and type of the body of each call."""
        return [
            ("GET", "/events", self._events, None),
            ("GET", "/mails", self._mails, None),
            ("GET", "/subscriptions", self._subscriptions, None),
            ("POST", "/event-url", self._save_event_url, EventUrlOrder),
            ("GET", "/variants", self._variants, None),
            ("POST", "/app-context", self._app_context, ContextOrder),
            ("POST", "/open-home", self._open_home, OpeningOrder),
            ("POST", "/in-client-authorize", self._in_client_authorize, InClientOrder),
        ]

    async def _events(self, _request: Request, _order: None) -> Any:
        kinds = catalogue().values()
        return {
            "events": [{"event": one.name, "family": one.family, "mark": one.mark} for one in kinds]
        }

    async def _mails(self, _request: Request, _order: None) -> Any:
        return {"mails": msgspec.to_builtins(list(self._simulator.validation.mails))}

    async def _subscriptions(self, _request: Request, _order: None) -> Any:
        validation = self._simulator.validation
        rows = []
        for app, url in self._simulator.event_urls():
            health = validation.health(app, url)
            rows.append(
                {
                    "client_id": app.client_id,
                    "url": url,
                    "failures": health.failures,
                    "disabled": health.disabled,
                    "checked_at": health.checked_at,
                }
            )
        return {"subscriptions": rows}

    async def _save_event_url(self, _request: Request, order: EventUrlOrder) -> Any:
        app = self._simulator.world.known_app(order.client_id)
        saved, reason = await self._simulator.validation.validate(app, order.url)
        if saved:
            app.event_url = order.url
        return {"saved": saved, "reason": reason}

    async def _variants(self, _request: Request, _order: None) -> Any:
        return {
            "deauthorization": deauthorization.VARIANTS.documentation(),
            "app_context": app_context.VARIANTS.documentation(),
            "places": list(app_context.PLACES),
        }

    async def _app_context(self, _request: Request, order: ContextOrder) -> Any:
        header = app_context.mint(
            self._simulator.world.known_app(order.client_id),
            self._simulator.world.known_user(order.user_id),
            now=self._simulator.wall(),
            random_bytes=self._simulator.random_bytes,
            place=order.place,
            act=order.act,
            variant=order.variant,
        )
        return {"header": header}

    async def _open_home(self, _request: Request, order: OpeningOrder) -> Any:
        opening = await open_home(
            self._simulator,
            self._simulator.world.known_app(order.client_id),
            self._simulator.world.known_user(order.user_id),
            place=order.place,
            variant=order.variant,
            deeplink=order.deeplink,
        )
        return msgspec.to_builtins(opening)

    async def _in_client_authorize(self, _request: Request, order: InClientOrder) -> Any:
        return authorize_in_client(
            self._simulator,
            self._simulator.world.known_app(order.client_id),
            self._simulator.world.known_user(order.user_id),
            code_challenge=order.code_challenge,
            state=order.state,
            allow=order.allow,
        )
