"""`/v2/marketplace/app/event_subscription` and `/v2/zoomapp/deeplink`.

A subscription is created with the app's own token. Subscriptions of the app's form are not listed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request

from paraph.simulator.engine import Simulator
from paraph.simulator.request import origin_as
from paraph.simulator.response import ResponseDraft
from paraph.simulator.rest.bearer import (
    ApiError,
    Work,
    guarded,
    invalid_field,
    read_object,
    require_scope,
)
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.ledger import Bearer
from paraph.simulator.state.world import App
from paraph.simulator.webhooks.publication import MAX_SUBSCRIPTIONS, Subscription

_MAX_EVENTS = 500
_MAX_URL = 2048

Resource = Callable[[Request], Awaitable[ResponseDraft]]

behaviour("subscriptions", "a wrong field is 400 with code 300", "inferred")
behaviour("subscriptions", "an unknown subscription is 404 with code 2300", "inferred")
behaviour("subscriptions", "the URL is challenged before it is saved", "inferred")
behaviour(
    "subscriptions",
    "created, listed, changed and deleted with a token of the app's own",
    "documented",
    source="webhook reference",
)
behaviour(
    "subscriptions",
    "subscriptions of the app's form cannot be changed by the API",
    "documented",
    source="webhook reference",
)


class EventSubscriptions:
    """The subscription resources of one simulator, and that of deep links."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def resources(self) -> list[tuple[str, str, Resource]]:
        """Return method, path and resource of each route."""
        base = "/v2/marketplace/app/event_subscription"
        table: list[tuple[str, str, Work]] = [
            ("GET", base, self._list),
            ("POST", base, self._create),
            ("DELETE", base, self._delete_all),
            ("PATCH", f"{base}/{{id}}", self._change),
            ("DELETE", f"{base}/{{id}}", self._delete),
            ("POST", "/v2/zoomapp/deeplink", self._deeplink),
        ]
        return [(method, path, guarded(self._simulator, work)) for method, path, work in table]

    def _list(self, _request: Request, bearer: Bearer) -> ResponseDraft:
        app = self._app(bearer, "read")
        found = [_describe(one) for one in self._simulator.subscriptions.of(app)]
        return ResponseDraft.of_json(200, {"event_subscriptions": found})

    async def _create(self, request: Request, bearer: Bearer) -> ResponseDraft:
        app = self._app(bearer, "write")
        body = await read_object(request)
        self._refuse_too_many(app)
        subscription = Subscription(
            id=self._simulator.ledger.random_text(22),
            client_id=app.client_id,
            name=_text(body, "event_subscription_name", default=""),
            url=_text(body, "event_webhook_url"),
            events=frozenset(_texts(body, "events")),
            scope=_scope(body),
            user_ids=frozenset(_texts(body, "user_ids", default=[])),
            account_id=_text(body, "account_id", default=bearer.account_id),
        )
        if not subscription.events:
            raise invalid_field("events")
        await self._challenge(app, subscription.url)
        # Others may have been created during the challenge.
        self._refuse_too_many(app)
        self._simulator.subscriptions.by_id[subscription.id] = subscription
        return ResponseDraft.of_json(201, {"event_subscription_id": subscription.id})

    async def _change(self, request: Request, bearer: Bearer) -> ResponseDraft:
        app = self._app(bearer, "update", "write")
        subscription = self._named(request, app)
        body = await read_object(request)
        url = _text(body, "event_webhook_url", default=subscription.url)
        events = frozenset(_texts(body, "events", default=sorted(subscription.events)))
        name = _text(body, "event_subscription_name", default=subscription.name)
        users = frozenset(_texts(body, "user_ids", default=sorted(subscription.user_ids)))
        if url != subscription.url:
            await self._challenge(app, url)
        subscription.url, subscription.events = url, events
        subscription.name, subscription.user_ids = name, users
        return ResponseDraft(204, b"")

    def _delete(self, request: Request, bearer: Bearer) -> ResponseDraft:
        app = self._app(bearer, "delete", "write")
        del self._simulator.subscriptions.by_id[self._named(request, app).id]
        return ResponseDraft(204, b"")

    @behaviour("subscriptions", "DELETE without an id removes those of the user_ids", "inferred")
    def _delete_all(self, request: Request, bearer: Bearer) -> ResponseDraft:
        app = self._app(bearer, "delete", "write")
        named = set(filter(None, request.query_params.get("user_ids", "").split(",")))
        for one in self._simulator.subscriptions.of(app):
            if not named or named >= one.user_ids:
                del self._simulator.subscriptions.by_id[one.id]
            else:
                one.user_ids -= named
        return ResponseDraft(204, b"")

    @behaviour(
        "Zoom Apps",
        "POST /v2/zoomapp/deeplink with a user's token and the scope zoomapp:inmeeting",
        "documented",
        source="zoom/skills; types of @zoom/rivet",
    )
    async def _deeplink(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(self._simulator, bearer, "zoomapp:inmeeting")
        app = self._simulator.world.app(bearer.client_id)
        if app is None or not bearer.user_id:
            raise ApiError(401, 124, "Invalid access token.")
        action = _text(await read_object(request), "action")
        origin = origin_as(request, "marketplace.zoom.us", self._simulator.origin)
        link = self._simulator.deeplinks.make(app, action, origin)
        return ResponseDraft.of_json(200, {"deeplink": link})

    def _app(self, bearer: Bearer, *verbs: str) -> App:
        """Return the app that calls with its own token; the token needs one of the scopes.

        Raises:
            ApiError: the token has no such scope, or belongs to a user.
        """
        names = [f"marketplace:{verb}:event_subscription" for verb in verbs]
        require_scope(self._simulator, bearer, *names)
        app = self._simulator.world.app(bearer.client_id)
        if app is None or bearer.user_id:
            raise ApiError(400, 4700, "This API takes an access token of the app's own.")
        return app

    def _refuse_too_many(self, app: App) -> None:
        if len(self._simulator.subscriptions.of(app)) >= MAX_SUBSCRIPTIONS:
            raise ApiError(400, 300, f"An app has at most {MAX_SUBSCRIPTIONS} event subscriptions.")

    def _named(self, request: Request, app: App) -> Subscription:
        name = request.path_params["id"]
        subscription = self._simulator.subscriptions.by_id.get(name)
        if subscription is None or subscription.client_id != app.client_id:
            raise ApiError(404, 2300, f"Event subscription does not exist: {name[:40]}.")
        return subscription

    async def _challenge(self, app: App, url: str) -> None:
        passed, reason = await self._simulator.validation.validate(app, url)
        if not passed:
            raise ApiError(400, 300, f"URL validation failed: {reason}.")


def _describe(one: Subscription) -> dict[str, Any]:
    return {
        "event_subscription_id": one.id,
        "event_subscription_name": one.name,
        "event_webhook_url": one.url,
        "events": sorted(one.events),
        "subscription_scope": one.scope,
        "user_ids": sorted(one.user_ids),
        "account_id": one.account_id,
    }


def _text(body: dict[str, Any], name: str, *, default: str | None = None) -> str:
    value = body.get(name, default)
    if not isinstance(value, str) or len(value) > _MAX_URL or (default is None and not value):
        raise invalid_field(name)
    return value


def _texts(body: dict[str, Any], name: str, *, default: list[str] | None = None) -> list[str]:
    values = body.get(name, default)
    fits = isinstance(values, list) and len(values) <= _MAX_EVENTS
    if not fits or not all(isinstance(one, str) and len(one) < 200 for one in values or []):
        raise invalid_field(name)
    return list(values or [])


def _scope(body: dict[str, Any]) -> str:
    scope = _text(body, "subscription_scope", default="account")
    if scope not in {"user", "account", "master_account"}:
        raise invalid_field("subscription_scope")
    return scope
