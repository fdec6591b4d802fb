"""The content of an event in an export: what is about the event or the user, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paraph.operations.exported_content import Person, content_for
from paraph.operations.exported_text import REPLACED
from paraph.simulator.state.world import User, default_world
from paraph.simulator.webhooks.event_catalogue import catalogue, fill_in, values_for
from paraph.zoom.concerned_users import concerned_users
from paraph.zoom.events import parse_kept_event
from simulator.socket_receiver import Numbers

JANE = Person("jane-id", "jane@people.example")
# People of the catalogue who are no users, and what its credentials consist of.
_STRANGERS = ("Ana", "Guest", "ana.guest", "+351", "351210", "simulated", "download/", "pwd=")


def shown(**thing: Any) -> dict[str, Any]:
    """The exported form of an event's object, with Jane as the host."""
    content = {"payload": {"object": {"host_id": "jane-id", **thing}}}
    exported: dict[str, Any] = content_for(JANE, content)["payload"]["object"]
    assert "jane-id" == exported.pop("host_id")
    return exported


def test_contents_lose_secrets_and_other_people() -> None:
    """Tokens, passwords, URLs that open something, participants and foreign e-mail addresses."""
    content = {
        "download_token": "canary",
        "payload": {
            "operator": "ravi@people.example",
            "object": {
                "host_id": "jane-id",
                "host_email": "jane@people.example",
                "join_url": "https://jane:canary@zoom.us/j/1?pwd=canary",
                "h323_passcode": 123456,
                "topic": "1:1 with ravi@people.example",
                "use_pmi": False,
                "participant": {"user_name": "Ravi", "id": "ravi-id"},
                "participants": [{"id": "jane-id", "user_name": "Jane"}, {"user_name": "Ravi"}],
                "recording_files": [{"play_url": "https://zoom.us/rec/canary", "file_size": 3}],
            },
        },
    }
    assert {
        "download_token": REPLACED,
        "payload": {
            "operator": REPLACED,
            "object": {
                "host_id": "jane-id",
                "host_email": "jane@people.example",
                "join_url": "https://zoom.us/…",
                "h323_passcode": REPLACED,
                "topic": f"1:1 with {REPLACED}",
                "use_pmi": False,
                "participant": REPLACED,
                "participants": [{"id": "jane-id", "user_name": "Jane"}, REPLACED],
                "recording_files": [{"play_url": "https://zoom.us/…", "file_size": 3}],
            },
        },
    } == content_for(JANE, content)


@pytest.mark.parametrize(
    "name",
    [
        *("recipient_name", "recipient_session_id", "consumer_name", "consumer_number"),
        *("agent", "owner", "summary_last_modified_user_id", "user_name", "phone_number"),
        *("apikey", "hostkey", "host_key", "passcode", "password", "pwd", "h323_password"),
        *("pstn_password", "encrypted_password", "token", "zak", "secret", "signature"),
        *("a_field_of_tomorrow", "message", "agenda", "summary_overview"),
    ],
)
def test_a_field_that_no_list_names_is_replaced(name: str) -> None:
    """As text, number, object and list: it may hold a secret, or be about another person."""
    for value in ("canary", 4711, {"id": "ravi-id", "name": "Ravi"}):
        assert {name: REPLACED} == shown(**{name: value})
        assert {name: [REPLACED]} == shown(**{name: [value]})


def test_people_beside_the_event_are_replaced_at_every_depth() -> None:
    """A consumer in a list, a foreign name in a part of the event, and an address as a name."""
    foreign = {"id": 1, "user_id": "16778240", "user_name": "Ravi", "phone_number": "+1"}
    assert {
        "consumers": [REPLACED],
        "meetings": [{**dict.fromkeys(foreign, REPLACED), "id": 1}],
        REPLACED: REPLACED,
    } == shown(
        consumers=[{"consumer_name": "Ravi"}], meetings=[foreign], **{"ravi@people.example": 1}
    )


def test_the_user_is_kept_with_own_names_in_both_spellings() -> None:
    """Own ids and addresses stay, with the names beside them; an unknown address matches none."""
    own = {"userId": "jane-id", "userName": "Jane", "phone_number": REPLACED}
    assert {"caller": own, "by": "jane@people.example"} == shown(
        caller={**own, "phone_number": "+1"}, by="jane@people.example"
    )
    assert {"by": {"email": ""}, "participant": REPLACED} != content_for(
        Person("jane-id", ""), {"by": {"email": ""}, "participant": {"email": "", "id": 2}}
    )


def _traces(user: User) -> list[str]:
    return [user.id, user.email, user.id.lower(), *user.display_name.split()]


def test_no_event_of_the_catalogue_shows_another_person_or_a_credential() -> None:
    """Each event that names one user of the default world alone, exported for that user."""
    world = default_world()
    users = {one.id: one for one in world.users}
    values = values_for(
        world, world.apps[0], world.users[0], now=1_800_000_000.25, random_bytes=Numbers()
    )
    exported = 0
    for name, kind in catalogue().items():
        body = fill_in(kind, values)
        concerned = concerned_users(parse_kept_event(json.dumps(body).encode()))
        if len(concerned) != 1 or concerned[0] not in users:
            continue
        user = users[concerned[0]]
        text = json.dumps(content_for(Person(user.id, user.email), body), ensure_ascii=False)
        foreign = {one for other in world.users for one in _traces(other)} - {*_traces(user)}
        secrets = {*_STRANGERS, str(values["download_token"])}
        assert set() == {one for one in foreign | secrets if one in text}, name
        assert name in text
        exported += 1
    assert exported > 100
