"""Users of an event are found at places that no table lists, and other people are not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.zoom import named_users as module
from paraph.zoom.concerned_users import concerned_users
from paraph.zoom.events import Event
from paraph.zoom.named_users import named_users

JANE, BOB = "KDcuGIm1QgePTO8WbOqwIQ", "z8yCxTTTTSiw02QgCAp8uQ"

ONE_USER = [
    {"object": {"transferred_by": {"user_id": JANE}}},
    {"object": {"reserve_for": {"user_id": JANE}}},
    {"object": {"details": {"deeper": {"host_id": JANE}}}},
    {"object": {"assignees": [{"user_id": JANE}]}},
    {"object": {"assignee_ids": [JANE]}},
    {"object": {"assignee_user_id": JANE}},
    {"object": {"owner": JANE}},
    {"object": {"ownerUserId": JANE}},
    {"object": {"USER_ID": JANE}},
    {"object": {"owner": {"type": "USER", "id": JANE}}},
    {"object": {"callee": {"id": JANE, "type": "user"}}},
    {"object": [{"user_id": JANE}]},
    {"details": {"user_id": JANE}},
    # The more specific role, the user and not the people around the event.
    {"object": {"created": {"creator_id": BOB}, "held_by": {"owner_id": JANE}}},
    {"object": {"user": {"id": JANE}, "participants": [{"user_id": BOB}]}},
    {"object": {"user": {"id": JANE}, "external_user": {"user_id": BOB}}},
    {"object": {"owner_id": BOB, "owner_type": "queue", "last": {"agent_id": JANE}}},
]
NO_USER: list[dict[str, Any]] = [
    {},
    {"object": {"id": JANE, "uuid": JANE, "meeting_id": JANE, "extension_id": JANE}},
    {"object": {"participant": {"user_id": JANE}, "consumers": [{"user": {"id": JANE}}]}},
    {"object": {"owner_id": JANE, "owner_type": "queue"}},
    {"object": {"caller": {"id": JANE, "extension_type": "zoomRoom"}}},
    {"object": {"user_name": JANE, "host_email": JANE, "owner_type": JANE, "user_key": JANE}},
    {"object": {"account_id": JANE, "group_ids": [JANE], "rooms": [{"host_id": JANE}]}},
]


def users_of(payload: dict[str, Any]) -> list[object]:
    """The users that the search finds."""
    return [value for _, value in named_users(payload)]


@pytest.mark.parametrize("payload", ONE_USER, ids=json.dumps)
def test_a_user_at_another_place_is_found(payload: dict[str, Any]) -> None:
    """The names of the members around an id say whose it is, in every writing."""
    assert [JANE] == users_of(payload)


@pytest.mark.parametrize("payload", NO_USER, ids=json.dumps)
def test_other_ids_are_no_users(payload: dict[str, Any]) -> None:
    """Ids of meetings, queues, rooms and of the people around an event are left out."""
    assert [] == users_of(payload)


@pytest.mark.parametrize(
    ("name", "payload", "expected"),
    [
        # The table decides wherever it names a user, and the one who acted is the last resort.
        ("phone.x", {"object": {"user_id": JANE, "by": {"host_id": BOB}}}, (JANE,)),
        ("phone.x", {"operator_id": BOB, "object": {"parked_by": {"user_id": JANE}}}, (JANE,)),
        ("phone.x", {"operator_id": BOB, "object": {}}, (BOB,)),
        # Ids of these families are numbers of a session, or those of other systems.
        ("meeting.x", {"object": {"test": {"user_id": "16778240"}}}, ()),
        ("session.x", {"object": {"user": {"id": JANE}}}, ()),
        ("zoomroom.x", {"object": {"user": {"id": JANE}}}, ()),
        # An address is no id.
        ("new.x", {"object": {"for": {"user_id": "jane@example.com"}}}, ()),
    ],
)
def test_the_search_comes_between_the_places_of_the_table(
    name: str, payload: dict[str, Any], expected: tuple[str, ...]
) -> None:
    """It is asked only where the table names no user, and only in families that are open."""
    assert expected == concerned_users(Event(name, None, "A", payload))


def test_a_place_says_where_a_user_stands() -> None:
    """The path of members, as `explain` shows it."""
    payload = {"object": {"items": [{"owner": {"id": JANE}}]}}
    assert [("object.items.owner.id", JANE)] == list(named_users(payload))


def test_large_payloads_are_read_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many members a body has, a fixed number is looked at."""
    monkeypatch.setattr(module, "_MAX_MEMBERS", 50)
    many = {f"x{number}": {"y": 1} for number in range(49)}
    assert [JANE] == users_of({**many, "user_id": JANE})
    assert [] == users_of({"more": 1, **many, "user_id": JANE})
    assert [] == users_of({"user_ids": [JANE] * 51})
    deep: dict[str, Any] = {"user_id": JANE}
    for _ in range(9):
        deep = {"object": deep}
    assert [] == users_of(deep)


class Unread(list[int]):
    """A long list that is not written out."""

    def __repr__(self) -> str:
        raise AssertionError


def test_a_type_that_is_no_text_is_not_read() -> None:
    """A list of a mebibyte next to many ids would be written out for each of them."""
    assert [] == users_of({"id": [JANE, JANE], "type": Unread([1])})
    assert [] == users_of({"object": {"owner_id": JANE, "owner_type": Unread([1])}})


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["user", "owner_id", "id", "_", ""]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_any_payload(payload: Any) -> None:
    """Whatever JSON stands there, values come out and nothing is raised."""
    assert all(place for place, _ in named_users({"object": payload}))
