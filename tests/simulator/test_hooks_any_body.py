from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paraph.simulator.app import create_app
from paraph.simulator.engine import Simulator
from simulator.plain_client import JANE
from simulator.socket_receiver import make_simulator

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = (
    "event_webhook_url",
    "events",
    "user_ids",
    "subscription_scope",
    "action",
    "client_id",
    "user_id",
    "url",
    "variant",
    "place",
    "state",
    "code_challenge",
    "deeplink",
    "event",
    "payload",
    "advance",
    "settle",
)
BODIES = (
    st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6).map(
        lambda value: json.dumps(value).encode()
    )
)
RESOURCES = (
    ("POST", "/v2/marketplace/app/event_subscription"),
    ("PATCH", "/v2/marketplace/app/event_subscription/x"),
    ("POST", "/v2/zoomapp/deeplink"),
)
ORDERS = (
    "events",
    "deauthorize",
    "event-url",
    "app-context",
    "open-home",
    "in-client-authorize",
    "clock",
)


def simulator() -> Simulator:
    """A simulator whose first app may do everything."""
    made = make_simulator("")
    made.world.apps[0].deauthorization_url = ""
    return made


async def ask(made: Simulator, method: str, path: str, body: bytes, **headers: str) -> int:
    """The status of one request."""
    transport = httpx.ASGITransport(app=create_app(made), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return (await client.request(method, path, content=body, headers=headers)).status_code


@pytest.mark.parametrize(("method", "path"), RESOURCES)
def test_any_body_at_a_resource_gets_a_response(method: str, path: str) -> None:
    """Whatever bytes come with a good token, the answer is an answer, never a 500."""

    @settings(max_examples=100, deadline=None)
    @given(body=BODIES)
    def check(body: bytes) -> None:
        made = simulator()
        app, user = made.world.apps[0], made.world.users[0]
        scopes = tuple(f"marketplace:{verb}:event_subscription" for verb in ("write", "update"))
        of_user = path.endswith("deeplink")
        token = (
            made.ledger.authorize(app, user, ("zoomapp:inmeeting",)).access_token
            if of_user
            else made.ledger.issue_app_token(app, scopes)
        )
        status = run(ask(made, method, path, body, authorization=f"Bearer {token}"))
        assert status < 500
        assert status != 401

    check()


@pytest.mark.parametrize("order", ORDERS)
def test_any_call_of_the_control_api_gets_a_response(order: str) -> None:
    """Whatever JSON comes, known fields or not, the answer is an answer, never a 500."""

    @settings(max_examples=100, deadline=None)
    @given(body=BODIES, named=st.booleans())
    def check(body: bytes, *, named: bool) -> None:
        made = simulator()
        sent = body
        if named:
            try:
                content: Any = json.loads(body)
            except ValueError:
                content = None
            if isinstance(content, dict):
                whom = {"client_id": made.world.apps[0].client_id, "user_id": JANE}
                sent = json.dumps({**content, **whom}).encode()
        path = f"/_simulator/{order}"
        assert run(ask(made, "POST", path, sent, **{"content-type": "application/json"})) < 500

    check()


def run(work: Coroutine[Any, Any, int]) -> int:
    """Run to the end in a loop of its own."""
    return asyncio.run(work)
