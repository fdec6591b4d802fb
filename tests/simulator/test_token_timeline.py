"""Rotation and one live token set per user and app, row by row, on the simulator's clock.

Each row is a moment of the platform notes: what is done, what is presented, what comes back.
Weeks pass in seconds, because the clock moves timers.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from simulator.plain_client import JANE, RAVI, PlainClient

HOUR, DAY = 3600, 86400
DEAD = "Invalid Token!"
SUPERSEDED = "Revoked by a later authorization (4,741)"


@dataclass(frozen=True)
class Row:
    """After `wait` seconds, `act` with the token set `name`; `expect` is its answer.

    Acts: "install" and "refresh" save the token set that they bring as `to`; "use" calls the API.
    """

    wait: int
    act: str
    name: str
    expect: str = "ok"
    to: str = ""
    user: str = JANE


TIMELINES = {
    "an access token lives an hour": [
        Row(0, "install", "", to="first"),
        Row(HOUR - 1, "use", "first"),
        Row(2, "use", "first", "Access token is expired."),
        Row(0, "refresh", "first", to="second"),
        Row(0, "use", "second"),
    ],
    "a refresh token is used once": [
        Row(0, "install", "", to="first"),
        Row(HOUR, "refresh", "first", to="second"),
        Row(0, "use", "first", "Invalid access token."),
        Row(0, "refresh", "first", DEAD),
        Row(0, "use", "second"),
        Row(HOUR, "refresh", "second", to="third"),
        Row(0, "refresh", "second", DEAD),
        Row(0, "refresh", "first", DEAD),
        Row(0, "use", "third"),
    ],
    "each refresh gives ninety days more": [
        Row(0, "install", "", to="first"),
        Row(89 * DAY, "refresh", "first", to="second"),
        Row(89 * DAY, "refresh", "second", to="third"),
        Row(91 * DAY, "refresh", "third", DEAD),
        Row(0, "install", "", to="fourth"),
        Row(0, "use", "fourth"),
    ],
    "authorizing again kills the older set": [
        Row(0, "install", "", to="first"),
        Row(DAY, "install", "", to="second"),
        Row(0, "use", "first", "Invalid access token."),
        Row(0, "refresh", "first", SUPERSEDED),
        Row(0, "use", "second"),
        Row(HOUR, "refresh", "second", to="third"),
        Row(0, "refresh", "first", SUPERSEDED),
        Row(0, "use", "third"),
    ],
    "other users of the app are untouched": [
        Row(0, "install", "", to="jane"),
        Row(0, "install", "", to="ravi", user=RAVI),
        Row(0, "install", "", to="jane again"),
        Row(0, "refresh", "jane", SUPERSEDED),
        Row(0, "use", "ravi"),
        Row(HOUR, "refresh", "ravi", to="ravi later"),
        Row(0, "use", "jane again", ""),
        Row(0, "use", "ravi later"),
    ],
    "a removed app": [
        Row(0, "install", "", to="first"),
        Row(0, "revoke", "first"),
        Row(0, "use", "first", "Invalid access token."),
        Row(0, "refresh", "first", DEAD),
        Row(0, "install", "", to="second"),
        Row(0, "refresh", "first", DEAD),
        Row(0, "use", "second"),
    ],
}


@pytest.mark.parametrize("name", TIMELINES)
def test_timeline(plain: PlainClient, name: str) -> None:
    """Every row of a timeline is answered as the platform notes say."""
    sets: dict[str, dict[str, str]] = {}
    for row in TIMELINES[name]:
        plain.zoom.advance(row.wait)
        said, brought = _act(plain, row, sets.get(row.name, {}))
        assert not row.expect or row.expect == said, row
        if row.to:
            sets[row.to] = brought


def _act(plain: PlainClient, row: Row, held: dict[str, str]) -> tuple[str, dict[str, str]]:
    if row.act == "install":
        plain.zoom.consent("approve", row.user)
        return "ok", plain.install()
    if row.act == "refresh":
        response = plain.refresh(held["refresh_token"])
        content = response.json()
        return ("ok", content) if response.status_code == 200 else (content["reason"], {})
    if row.act == "revoke":
        return ("ok" if plain.revoke(held["access_token"]).status_code == 200 else "no"), {}
    response = plain.api("/v2/users/me", held["access_token"])
    return ("ok" if response.status_code == 200 else response.json()["message"]), {}


@pytest.mark.parametrize(
    ("fault", "first_refresh", "first_access", "second_access"),
    [
        ("", "dead", "dead", "alive"),
        ("old_refresh_token_accepted", "alive", "dead", "dead"),
        ("access_token_survives_refresh", "dead", "alive", "alive"),
        ("refresh_reuse_ends_grant", "dead", "dead", "dead"),
    ],
)
def test_what_is_undocumented_about_rotation(
    plain: PlainClient, fault: str, first_refresh: str, first_access: str, second_access: str
) -> None:
    """Whichever way Zoom really is, a fault can play it."""
    if fault:
        plain.zoom.simulator.faults.switch_on(fault, {})
    first = plain.install()
    second = plain.refresh(first["refresh_token"]).json()
    words = {200: "alive", 400: "dead", 401: "dead"}
    assert first_access == words[plain.api("/v2/users/me", first["access_token"]).status_code]
    assert first_refresh == words[plain.refresh(first["refresh_token"]).status_code]
    assert second_access == words[plain.api("/v2/users/me", second["access_token"]).status_code]


def test_older_sets_survive(plain: PlainClient) -> None:
    """With the fault, authorizing again leaves the older access token alive."""
    plain.zoom.simulator.faults.switch_on("older_tokens_survive", {"times": 2})
    first, second = plain.install(), plain.install()
    for tokens in (first, second):
        assert 200 == plain.api("/v2/users/me", tokens["access_token"]).status_code


def test_a_refresh_token_is_kept(plain: PlainClient) -> None:
    """With the fault, a refresh brings no refresh token and the older one goes on to work."""
    tokens = plain.install()
    plain.zoom.simulator.faults.switch_on("refresh_not_rotated", {"times": 1})
    assert "refresh_token" not in plain.refresh(tokens["refresh_token"]).json()
    assert "refresh_token" in plain.refresh(tokens["refresh_token"]).json()
