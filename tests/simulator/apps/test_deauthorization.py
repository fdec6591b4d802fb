from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from paraph.errors import UsageError
from paraph.simulator.app import create_app
from paraph.simulator.apps.deauthorization import VARIANTS, deauthorize
from paraph.simulator.engine import Simulator
from paraph.simulator.state.world import User, World, default_world
from paraph.simulator.webhooks.delivery import sign
from simulator.socket_receiver import Request, make_simulator, receiving

pytestmark = pytest.mark.anyio


async def removed(
    variant: str = "", *, world: World | None = None, user: int = 0
) -> tuple[Simulator, list[Request]]:
    """What reaches an app when a user of a world with three grants removes it."""
    async with receiving() as receiver:
        simulator = make_simulator("", world=world)
        app = simulator.world.apps[0]
        app.deauthorization_url = receiver.url
        for one in simulator.world.users:
            simulator.ledger.authorize(app, one, ("user:read:user",))
        deauthorize(simulator, app, simulator.world.users[user], variant=variant)
        await simulator.sender.settle()
        await simulator.sender.close()
    return simulator, receiver.requests


def alive(simulator: Simulator) -> list[str]:
    """The names of the users whose grants live."""
    users = [simulator.world.user(one.user_id) for one in simulator.ledger.grants.values()]
    return [user.display_name.partition(" ")[0] for user in users if isinstance(user, User)]


async def test_the_event_url_does_not_hear_of_removals() -> None:
    """Zoom's form has a URL of its own for them; an empty one means that nobody is told."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        app, user = simulator.world.apps[0], simulator.world.users[0]
        app.deauthorization_url = ""
        simulator.ledger.authorize(app, user, ("user:read:user",))
        assert deauthorize(simulator, app, user) is None
        await simulator.sender.settle()
        await simulator.sender.close()
    assert ([], []) == (alive(simulator), receiver.requests)


async def revoked(token: str, **faults: dict[str, Any]) -> tuple[int, Simulator, list[Request]]:
    """What reaches an app that revokes Jane's "access_token" or "refresh_token"."""
    async with receiving() as receiver:
        simulator = make_simulator("")
        app, jane = simulator.world.apps[0], simulator.world.users[0]
        app.deauthorization_url = receiver.url
        grant = simulator.ledger.authorize(app, jane, ("user:read:user",))
        for name, parameters in faults.items():
            simulator.faults.switch_on(name, parameters)
        transport = httpx.ASGITransport(create_app(simulator))
        async with httpx.AsyncClient(transport=transport, base_url="http://zoom.us") as client:
            response = await client.post(
                "/oauth/revoke",
                data={"token": getattr(grant, token, token)},
                auth=(app.client_id, app.client_secret),
            )
        await simulator.sender.settle()
        await simulator.sender.close()
    return response.status_code, simulator, receiver.requests


@pytest.mark.parametrize("token", ["access_token", "refresh_token"])
async def test_revoking_a_token_removes_the_app(token: str) -> None:
    """Zoom uninstalls the app whose token is revoked, and says so."""
    status, simulator, requests = await revoked(token)
    assert (200, []) == (status, alive(simulator))
    (content,) = [json.loads(one.body) for one in requests]
    assert "app_deauthorized" == content["event"]
    assert simulator.world.users[0].id == content["payload"]["user_id"]


async def test_a_revocation_that_ends_nothing_sends_no_event() -> None:
    """An unknown token removes nothing, nor does the fault that only says success."""
    assert (400, []) == (await revoked("unknown"))[::2]
    assert (200, []) == (await revoked("access_token", revoke_keeps_grant={}))[::2]


async def test_the_event_is_as_documented() -> None:
    """Names and order of the fields, an opaque signature in the payload, milliseconds."""
    simulator, (request,) = await removed()
    content = json.loads(request.body)
    assert ["event", "event_ts", "payload"] == list(content)
    names = ["account_id", "user_id", "signature", "deauthorization_time", "client_id"]
    assert names == list(content["payload"])
    assert re.fullmatch("[0-9a-f]{64}", content["payload"]["signature"])
    assert "2027-01-15T08:00:00.250Z" == content["payload"]["deauthorization_time"]
    secret = simulator.world.apps[0].webhook_secret
    assert request.header("x-zm-signature") == sign(secret, "1800000000", request.body)


async def test_only_the_grant_of_who_removed_the_app_dies() -> None:
    """A user-level app stays with the other users of the account."""
    simulator, _ = await removed(user=1)
    assert ["Jane", "Mei"] == alive(simulator)


async def test_an_account_level_app_goes_for_the_whole_account_and_names_the_admin() -> None:
    """Whoever is meant, the payload names the admin who did it, and all grants die."""
    world = default_world()
    world.apps[0].level = "account"
    simulator, (request,) = await removed(world=world, user=1)
    assert [] == alive(simulator)
    assert world.users[0].id == json.loads(request.body)["payload"]["user_id"]


async def test_an_unpublished_app_is_not_notified() -> None:
    """The grant dies all the same."""
    world = default_world()
    world.apps[0].published = False
    simulator, requests = await removed(world=world)
    assert [] == requests
    assert ["Ravi", "Mei"] == alive(simulator)


# What each variant changes: of the body, and the users whose grants live afterwards.
CHANGES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "retention_false_text": ({"user_data_retention": "false"}, ["Ravi", "Mei"]),
    "retention_false": ({"user_data_retention": False}, ["Ravi", "Mei"]),
    "retention_null": ({"user_data_retention": None}, ["Ravi", "Mei"]),
    "retention_true": ({"user_data_retention": True}, ["Ravi", "Mei"]),
    "event_ts_inside": ({"event_ts": 1_800_000_000_250}, ["Ravi", "Mei"]),
    "event_ts_absent": ({}, ["Ravi", "Mei"]),
    "other_client": ({"client_id": "AnotherSimulatedClient"}, ["Ravi", "Mei"]),
    "other_account": ({"account_id": "AnotherAccount00000001"}, ["Ravi", "Mei"]),
    "unknown_user": ({"user_id": "NobodyInThisWorld00000"}, ["Ravi", "Mei"]),
    "duplicate": ({}, ["Ravi", "Mei"]),
    "early": ({}, ["Jane", "Ravi", "Mei"]),
    "old_time": ({"deauthorization_time": "2027-01-14T08:00:00.250Z"}, ["Jane", "Ravi", "Mei"]),
    "unreadable_time": ({"deauthorization_time": "yesterday"}, ["Ravi", "Mei"]),
}


@pytest.mark.parametrize("variant", sorted(VARIANTS.documentation()))
async def test_each_variant_changes_one_thing(variant: str) -> None:
    """Everything else is as documented, and rightly signed."""
    _, (plain, *_) = await removed()
    simulator, requests = await removed(variant)
    changed, living = CHANGES[variant]
    expected = {**json.loads(plain.body)["payload"], **changed}
    content = json.loads(requests[0].body)
    expected["signature"] = content["payload"]["signature"]
    assert expected == content["payload"]
    assert ("event_ts" in content) == (not variant.startswith("event_ts"))
    assert (2 if variant == "duplicate" else 1) == len(requests)
    assert living == alive(simulator)


async def test_variants_compose() -> None:
    """A late duplicate of a removal that the user has undone since."""
    _, requests = await removed("old_time+retention_null+duplicate")
    payloads = [json.loads(one.body)["payload"] for one in requests]
    assert 2 == len(payloads)
    assert {None} == {one["user_data_retention"] for one in payloads}


async def test_a_variant_that_there_is_not_is_named_and_nothing_happens() -> None:
    """Nobody loses a grant by a misspelt word."""
    simulator = make_simulator("")
    app, user = simulator.world.apps[0], simulator.world.users[0]
    simulator.ledger.authorize(app, user, ("user:read:user",))
    with pytest.raises(UsageError, match="retention_true"):
        deauthorize(simulator, app, user, variant="retention")
    assert ["Jane"] == alive(simulator)
