from __future__ import annotations

import json
from typing import Any

import pytest

from paraph.simulator.state.world import default_world
from paraph.simulator.webhooks.delivery import encode_body
from paraph.simulator.webhooks.event_catalogue import FOLDER, catalogue, fill_in, values_for
from simulator.socket_receiver import Numbers, make_simulator, receiving

NOW = 1_800_000_000.25


def body_of(name: str, *, user: int = 0) -> dict[str, Any]:
    """An event's whole body, told of a user of the default world."""
    world = default_world()
    values = values_for(world, world.apps[0], world.users[user], now=NOW, random_bytes=Numbers())
    return fill_in(catalogue()[name], values)


def test_there_are_more_than_forty_kinds_of_every_family() -> None:
    """Meetings, recordings, users, chatbots and apps each have theirs, in data files."""
    families = [one.family for one in catalogue().values()]
    assert {"meeting", "recording", "user", "chatbot", "app"} == set(families)
    assert len(families) >= 40
    assert sorted(set(families)) == sorted(path.stem for path in FOLDER.glob("*.json"))


def test_no_event_stands_in_two_files() -> None:
    """A name has one body."""
    files = [json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")]
    names = [name for content in files for name in content["events"]]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_body_is_filled_in_to_the_end(name: str) -> None:
    """No placeholder and no part is left over, whoever of the world it tells of."""
    for user in range(3):
        body = body_of(name, user=user)
        text = encode_body(body).decode()
        assert name == body["event"]
        assert 1_800_000_000_250 == body["event_ts"]
        assert "${" not in text and '"@"' not in text


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_body_survives_being_printed_again(name: str) -> None:
    """Receivers that sign what they print themselves, as Zoom's samples do, see the same bytes."""
    raw = encode_body(body_of(name))
    again = json.dumps(json.loads(raw), separators=(",", ":"), ensure_ascii=False)
    assert raw == again.encode()


def test_numbers_stay_numbers() -> None:
    """A meeting's number is a number where Zoom has one, and text where Zoom has text."""
    assert isinstance(body_of("meeting.created")["payload"]["object"]["id"], int)
    assert isinstance(body_of("meeting.started")["payload"]["object"]["id"], str)


def test_a_recording_has_its_download_token_beside_the_payload() -> None:
    """The token is no part of the payload."""
    body = body_of("recording.completed")
    assert 2 == body["download_token"].count(".")
    assert "download_token" not in body["payload"]
    files = body["payload"]["object"]["recording_files"]
    assert ["MP4", "M4A"] == [one["file_type"] for one in files]


def test_payloads_of_bots_are_in_camel_case() -> None:
    """AccountId and toJid, and no account_id beside them."""
    payload = body_of("bot_notification")["payload"]
    assert {"accountId", "toJid", "userJid", "robotJid", "cmd"} <= set(payload)
    assert "account_id" not in payload


def test_bodies_tell_of_the_people_of_the_world() -> None:
    """Ids, addresses and names are those of the world, and who does it is who was named."""
    world = default_world()
    joined = body_of("meeting.participant_joined", user=1)["payload"]
    assert world.users[1].id == joined["object"]["host_id"]
    assert world.users[1].account_id == joined["account_id"]
    assert world.users[0].email == joined["object"]["participant"]["email"]
    created = body_of("user.created", user=1)["payload"]
    assert world.users[0].id == created["operator_id"]


def test_no_two_events_are_about_the_same_meeting() -> None:
    """Ids are fresh in every body."""
    world = default_world()
    numbers = Numbers()
    ids = set()
    for _ in range(50):
        values = values_for(world, world.apps[0], world.users[0], now=NOW, random_bytes=numbers)
        ids.add(fill_in(catalogue()["meeting.started"], values)["payload"]["object"]["uuid"])
    assert 50 == len(ids)


@pytest.mark.anyio
async def test_a_payload_that_is_given_is_sent_as_it_is() -> None:
    """Only a payload that is absent is made up, and only where the catalogue knows the event."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        simulator.publish(app, "meeting.ended", {"x": 1})
        simulator.publish(app, "meeting.ended", {})
        simulator.publish(app, "foo.bar")
        simulator.publish(app, "meeting.ended", user=simulator.world.users[2])
        await simulator.sender.settle()
        await simulator.sender.close()
    payloads = [json.loads(one.body)["payload"] for one in receiver.requests]
    assert (1, 2) == (payloads.count({"x": 1}), payloads.count({}))
    hosts = [one["object"]["host_id"] for one in payloads if "object" in one]
    assert [simulator.world.users[2].id] == hosts
