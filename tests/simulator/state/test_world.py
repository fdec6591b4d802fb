"""Worlds: what a short one is completed with, and what cannot be."""

from __future__ import annotations

import pytest

from paraph.simulator.state.world import (
    Account,
    App,
    User,
    World,
    complete,
    default_world,
    find_contradictions,
)


def server_app(account_id: str = "") -> App:
    """A server-to-server app."""
    return App(
        kind="server-to-server", client_id="s", client_secret="secret", account_id=account_id
    )


def test_a_short_world_is_completed() -> None:
    """Users and server-to-server apps that name no account are of the first one."""
    world = complete(World(users=[User(id="u")], apps=[server_app()]))

    (account,) = world.accounts
    assert (account.id, account.id) == (world.users[0].account_id, world.apps[0].account_id)
    assert ("u@example.com", "u") == (world.users[0].email, world.users[0].display_name)


def test_the_default_world_is_one() -> None:
    """It contradicts itself nowhere, and has the app that `paraph serve` fits."""
    world = default_world()

    assert [] == find_contradictions(world)
    assert (1, 3, 1) == (len(world.accounts), len(world.users), len(world.apps))


@pytest.mark.parametrize(
    ("world", "problem"),
    [
        (World(users=[User(id="u"), User(id="u")]), "user id u appears twice"),
        (World(users=[User(id="")]), "user id is empty"),
        (World(accounts=[Account(id="")]), "account id is empty"),
        (World(users=[User(id="u", account_id="x")]), "user u names an unknown account"),
        (World(apps=[server_app("x")]), "client_id s names an unknown account"),
    ],
)
def test_what_cannot_be_is_named(world: World, problem: str) -> None:
    """Doubled and empty ids, and owners that do not exist."""
    assert [problem] == find_contradictions(world)
