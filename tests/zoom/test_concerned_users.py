"""The users that an event concerns, and what becomes of the event because of them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.zoom.concerned_users import (
    LATE_SECONDS,
    Concern,
    DropReason,
    Fate,
    Selection,
    Standing,
    concern_of,
    concerned_users,
    describe,
    fate_of,
    select,
)
from paraph.zoom.event_table import FAMILIES, family_of
from paraph.zoom.events import Event, parse_account_id
from vector_files import FOLDER, cases

NOW = 1_795_897_200
JANE, BOB = "JaneHostTidemark000001", "BobColleagueTide000002"
JSON = st.recursive(
    st.sampled_from([None, True, 7, "", JANE, "jane@example.com", "user", "x" * 65]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "object",
                    "user_id",
                    "users",
                    "owner",
                    "type",
                    "id",
                    "callee",
                    "host_id",
                    "user_ids",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


def event_of(name: str, payload: dict[str, Any]) -> Event:
    """An event of this name and payload, as the parser makes it."""
    return Event(name, None, parse_account_id(payload), payload)


@pytest.mark.parametrize("case", cases("concerned_users"))
def test_table(case: dict[str, Any]) -> None:
    """The account and the concerned users of an event are those of the vector."""
    found = concern_of(event_of(case["event"], case["payload"]))
    assert (case["account_id"], sorted(case["concerned_users"])) == (
        found.account_id,
        sorted(found.user_ids),
    )


def test_vectors_cover_zooms_event_list() -> None:
    """The vectors name at least 200 events, and every family of the table."""
    content = json.loads((FOLDER / "concerned_users.json").read_text(encoding="utf-8"))
    names = {case["event"] for case in content["cases"]}
    assert len(names) >= 200
    assert set() == FAMILIES.keys() - {family_of(name) for name in names}


@given(
    family=st.sampled_from([*FAMILIES, "unheard_of"]),
    payload=st.dictionaries(st.sampled_from(["object", "user_id", "operator_id"]), JSON),
)
def test_any_payload(family: str, payload: dict[str, Any]) -> None:
    """Any JSON payload yields identifiers without an `@`, each once, whatever its shape."""
    users = concerned_users(event_of(f"{family}.happened", payload))
    assert len(set(users)) == len(users)
    assert not [user for user in users if "@" in user or not 1 <= len(user) <= 64]


@pytest.mark.parametrize(
    ("account_id", "users", "level", "expected"),
    [
        ("A", (JANE,), "user", Selection.USERS),
        ("A", (), "user", Selection.ACCOUNT),
        ("A", (JANE,), "account", Selection.ACCOUNT),
        ("A", (), "account", Selection.ACCOUNT),
        (None, (JANE,), "user", Selection.USERS),
        (None, (JANE,), "account", Selection.USERS),
        (None, (), "user", Selection.NO_INSTALLATION),
        (None, (), "account", Selection.NO_INSTALLATION),
    ],
)
def test_selection(
    account_id: str | None, users: tuple[str, ...], level: Any, expected: Selection
) -> None:
    """The level, the account and the users decide whose installations an event goes to."""
    assert expected is select(account_id, users, level=level)


REMOVED = Standing(None, NOW - 300)
BACK = Standing(NOW - 100, NOW - 300)
INSTALLED = Standing(NOW - 5000)
AFTER, NEAR, BEFORE = (NOW - 50) * 1000, (NOW - 160) * 1000, (NOW - 161) * 1000


@pytest.mark.parametrize(
    ("jane", "bob", "event_ts", "expected"),
    [
        (INSTALLED, INSTALLED, None, Fate((JANE, BOB))),
        (Standing(), Standing(), None, Fate((JANE, BOB))),
        (REMOVED, INSTALLED, AFTER, Fate((BOB,))),
        (REMOVED, Standing(), AFTER, Fate((), DropReason.REMOVED_USER)),
        (REMOVED, REMOVED, None, Fate((), DropReason.REMOVED_USER)),
        (BACK, Standing(), AFTER, Fate((JANE, BOB))),
        (BACK, Standing(), NEAR, Fate((JANE, BOB))),
        (BACK, Standing(), BEFORE, Fate((), DropReason.OLDER_THAN_GRANT)),
        (BACK, INSTALLED, BEFORE, Fate((BOB,))),
        (BACK, Standing(), None, Fate((), DropReason.UNDATED)),
        (Standing(NOW, NOW - LATE_SECONDS), Standing(), None, Fate((JANE, BOB))),
        (Standing(NOW, NOW - LATE_SECONDS + 1), REMOVED, None, Fate((), DropReason.UNDATED)),
    ],
)
def test_fate(jane: Standing, bob: Standing, event_ts: int | None, expected: Fate) -> None:
    """An event is kept for the users whose present installation it is not older than."""
    concern = Concern("A", (JANE, BOB), ("", ""))
    standing = {JANE: jane, BOB: bob}
    assert expected == fate_of(concern.user_ids, standing, event_ts=event_ts, now=NOW)


@pytest.mark.parametrize(
    ("name", "payload", "level", "words"),
    [
        (
            "phone.callee_answered",
            {"account_id": "A1", "object": {"callee": {"user_id": JANE}}},
            "user",
            ["Account: A1.", f"{JANE} (payload.object.callee.user_id)", "concerned users;"],
        ),
        ("meeting.rtms_stopped", {}, "user", ["names neither an account nor a user"]),
        (
            "user.updated",
            {"account_id": "A1", "operator_id": BOB, "object": {"id": JANE}},
            "account",
            [
                "Forwarded with the installations of the account;",
                "removed_account",
                "never installed",
            ],
        ),
        ("app_deauthorized", {"account_id": "A1", "user_id": JANE}, "user", ["deauthorization"]),
        ("endpoint.url_validation", {"plainToken": "x" * 20}, "user", ["challenge"]),
    ],
)
def test_description(name: str, payload: dict[str, Any], level: Any, words: list[str]) -> None:
    """The description names the account, the users with their places, and the recipients."""
    text = " ".join(describe(event_of(name, payload), level=level))
    assert [] == [word for word in words if word not in text]
