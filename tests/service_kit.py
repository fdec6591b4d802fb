"""A service in this process, over a real database and a real simulated Zoom on a socket."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

from databases import new_sqlite
from paraph.endpoints.pages import Pages
from paraph.endpoints.readiness import Readiness
from paraph.endpoints.routes import PublicSide
from paraph.endpoints.webhook_endpoint import WebhookEndpoint
from paraph.http.body import BodyReader
from paraph.lifecycle.api_key import create_key
from paraph.lifecycle.context import Context
from paraph.lifecycle.shared_clock import SharedClock
from paraph.remote.zoom_clock import ZoomClock
from paraph.sealing.encryption_key import new_encryption_key
from paraph.secret import Secret
from paraph.service.app import Service, _page_routes, _redirection_endpoint, open_service
from paraph.settings.model import DEFAULT_PROXY_ALLOW, Settings
from paraph.simulator.engine import Consent
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.state.world import default_world
from paraph.simulator.webhooks.webhook_sender import sign
from paraph.zoom.webhook_verification import Freshness

PUBLIC_URL = "https://app.example"
JANE = "KDcuGIm1QgePTO8WbOqwIQ"
RAVI = "z8yCxTTTTSiw02QgCAp8uQ"
ACCOUNT = "AbcDEFghiJKLmnoPQRst01"

_idle: list[SimulatedZoom] = []


def simulated_zoom(public_url: str = PUBLIC_URL) -> SimulatedZoom:
    """A Zoom whose app is the service under test; it agrees to everything as Jane."""
    world = default_world()
    app = world.apps[0]
    app.redirect_uris = [f"{public_url}/marketplace", f"{public_url}/oauth/redirect"]
    app.event_url = app.deauthorization_url = f"{public_url}/webhook"
    zoom = _idle.pop() if _idle else SimulatedZoom()
    if not zoom.is_running:
        zoom.start()
    zoom.reset(world)
    agree_as(zoom, JANE)
    return zoom


def give_back(zoom: SimulatedZoom) -> None:
    """Keep a simulated Zoom for the next test: starting and stopping one takes 0.2 seconds."""
    if zoom.is_running:
        zoom.reset()
        _idle.append(zoom)


def agree_as(zoom: SimulatedZoom, user_id: str, auto: Any = "approve") -> None:
    """Let every consent be given by a user."""
    zoom.simulator.consent = Consent(auto, user_id)


def settings_for(zoom: SimulatedZoom, folder: Path, **changes: Any) -> Settings:
    """Settings that fit a simulated Zoom."""
    app = zoom.app
    settings = Settings(
        client_id=app.client_id,
        client_secret=Secret(app.client_secret),
        webhook_secrets=(Secret(app.webhook_secret),),
        public_url=PUBLIC_URL,
        public_bind=("127.0.0.1", 0),
        private_bind=("127.0.0.1", 0),
        database_url=new_sqlite(folder / "paraph.db"),
        events_url="",
        encryption_keys=(Secret(new_encryption_key()),),
        linking="none",
        start_url="https://host.example/zoom/start",
        link_url="https://host.example/zoom/link",
        required_scopes=frozenset({"user:read:user"}),
        level="user",
        authorization_server=zoom.url,
        api_servers=(zoom.url,),
        proxy_allow=DEFAULT_PROXY_ALLOW,
        forward_url="",
        forward_secrets=(),
        trusted_proxies=(),
        freshness_past=7200,
        freshness_future=300,
        event_retention=86400,
        app_name="Tidemark",
        verify_zoom="",
        security_contact="",
        receipts_folder=str(folder / "receipts"),
    )
    return replace(settings, **changes)


@dataclass
class Kit:
    """A running service with its Zoom."""

    zoom: SimulatedZoom
    service: Service
    settings: Settings

    def browser(self) -> httpx.AsyncClient:
        """A browser profile: its own cookies, no redirects followed."""
        transport = httpx.ASGITransport(self.service.public)
        return httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL)

    async def api(self, *scopes: str, subject_prefix: str = "") -> httpx.AsyncClient:
        """The host's backend, with a key of these scopes."""
        key = await create_key(
            self.service.context,
            label="test",
            scopes=scopes or ("link", "read"),
            subject_prefix=subject_prefix,
        )
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.service.private),
            base_url="http://private",
            headers={"authorization": f"Bearer {key.reveal()}"},
        )

    async def agree(self, start: httpx.Response) -> str:
        """Go to Zoom where a start leads, agree, and give back where Zoom sends the browser."""
        assert start.status_code == 303, start.text
        async with httpx.AsyncClient() as visitor:
            answer = await visitor.get(start.headers["location"])
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])

    async def install(self, browser: httpx.AsyncClient, path: str = "/install") -> httpx.Response:
        """The whole way through in one browser."""
        return await browser.get(await self.agree(await browser.get(path)))

    async def post_webhook(
        self,
        event: str,
        payload: dict[str, Any],
        *,
        timestamp: int | None = None,
        body: bytes | None = None,
        secret: str | None = None,
    ) -> httpx.Response:
        """A delivery, signed by the simulator's implementation of Zoom's rule.

        A removal is signed after the time that `deauthorization` gives it: no later one counts.
        """
        content = {"event": event, "event_ts": int(time.time() * 1000), "payload": payload}
        raw = json.dumps(content, separators=(",", ":")).encode() if body is None else body
        if timestamp is None:
            timestamp = int(time.time()) + (130 if event == "app_deauthorized" else 0)
        at = str(timestamp)
        signature = sign(self.zoom.app.webhook_secret if secret is None else secret, at, raw)
        async with self.browser() as sender:
            return await sender.post(
                "/webhook",
                content=raw,
                headers={
                    "x-zm-signature": signature,
                    "x-zm-request-timestamp": at,
                    "content-type": "application/json",
                },
            )

    def deauthorization(self, **changes: Any) -> dict[str, Any]:
        """The payload of Jane's removal, a minute and more after now."""
        return {
            "account_id": ACCOUNT,
            "user_id": JANE,
            "deauthorization_time": iso(time.time() + 120),
            "client_id": self.zoom.app.client_id,
            **changes,
        }

    def token_requests(self) -> list[dict[str, Any]]:
        """What reached Zoom's token endpoint."""
        return self.zoom.journal("/oauth/token")

    async def installations(self) -> Sequence[Any]:
        """All active installations."""
        async with self.service.context.store.reading() as tx:
            return await tx.installations.page(self.zoom.app.client_id)


def public_side(kit: Kit, context: Context) -> ASGIApp:
    """The public side of a service with another context, as one with another clock."""
    pages = Pages("Tidemark", "/install", is_linked=kit.settings.linking == "host")
    readiness = Readiness(
        kit.service.context.store,
        monotonic=time.monotonic,
        zoom_clock=ZoomClock(time.time, monotonic=time.monotonic, freshness=Freshness()),
        shared_clock=SharedClock(time.time, system=time.time),
    )
    redirection = _redirection_endpoint(kit.settings, context, pages)
    table = _page_routes(kit.settings, context, pages, readiness, redirection, headers=())
    return PublicSide(table, pages, headers=(), bodies=BodyReader())


def webhook_of(service: Service) -> WebhookEndpoint:
    """The endpoint behind the webhook's route."""
    endpoint: Any = service.public.table["/webhook"].endpoint
    found: WebhookEndpoint = endpoint.__self__
    return found


def iso(instant: float) -> str:
    """A time as Zoom writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(instant)) + ".000Z"


@asynccontextmanager
async def running(folder: Path, **changes: Any) -> AsyncIterator[Kit]:
    """A service and its Zoom, for the length of a block."""
    zoom = simulated_zoom()
    try:
        settings = settings_for(zoom, folder, **changes)
        async with open_service(settings) as service:
            yield Kit(zoom, service, settings)
    finally:
        give_back(zoom)
