from __future__ import annotations

import json
from typing import Any

import pytest

from paraph.simulator.state.world import default_world
from paraph.simulator.webhooks.delivery import encode_body
from paraph.simulator.webhooks.event_catalogue import FOLDER, catalogue, fill_in, values_for
from paraph.zoom.concerned_users import concerned_users
from paraph.zoom.event_table import FAMILIES, family_of
from paraph.zoom.events import parse_kept_event
from simulator.socket_receiver import Numbers, make_simulator, receiving

NOW = 1_800_000_000.25
# Events of families that have places for users, but whose bodies name none.
SILENT = {
    "app.authorization_request_created",
    "contact_center.engagement_consumer_ended",
    "contact_center.engagement_consumer_sent_message",
    "contact_center.engagement_ended",
    "contact_center.engagement_started",
    "contact_center.engagement_upgrade_completed",
    "meeting.chat_message_sent",
    "recording.cloud_storage_usage_updated",
    "video_sdk.session_started",
}


def body_of(name: str, *, user: int = 0) -> dict[str, Any]:
    """An event's whole body, told of a user of the default world."""
    world = default_world()
    values = values_for(world, world.apps[0], world.users[user], now=NOW, random_bytes=Numbers())
    return fill_in(catalogue()[name], values)


def test_there_are_two_hundred_kinds_of_every_family() -> None:
    """Every family of Zoom's events has its names, in data files."""
    beginnings = {name.partition(".")[0] for name in catalogue()}
    wanted = "meeting webinar recording user phone contact_center whiteboard docs rtms"
    more = "team_chat chat_message chat_channel bot_notification session zoomroom account"
    assert {*wanted.split(), *more.split()} <= beginnings
    assert len(catalogue()) >= 200
    families = {one.family for one in catalogue().values()}
    assert sorted(families) == sorted(path.stem for path in FOLDER.glob("*.json"))


def test_no_event_stands_in_two_files() -> None:
    """A name has one body."""
    files = [json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")]
    names = [name for content in files for name in content["events"]]
    assert sorted(set(names)) == sorted(names)


def test_every_body_is_filled_in_to_the_end() -> None:
    """No placeholder and no part is left over, whichever user of the world it concerns."""
    for name in catalogue():
        for user in range(3):
            body = body_of(name, user=user)
            text = encode_body(body).decode()
            assert name == body["event"]
            assert 1_800_000_000_250 == body["event_ts"]
            assert "${" not in text and '"@"' not in text, name


def test_every_body_survives_being_printed_again() -> None:
    """Receivers that sign what they print themselves, as Zoom's samples do, see the same bytes."""
    for name in catalogue():
        raw = encode_body(body_of(name))
        again = json.dumps(json.loads(raw), separators=(",", ":"), ensure_ascii=False)
        assert raw == again.encode(), name


def test_the_kit_and_the_catalogue_agree_on_whom_an_event_concerns() -> None:
    """Two tables that share no code: in each body the kit finds the user, or knows that none is."""
    world = default_world()
    people = {one.id for one in world.users}
    found = {
        name: set(concerned_users(parse_kept_event(encode_body(body_of(name, user=1)))))
        for name in catalogue()
    }
    assert {} == {name: users - people for name, users in found.items() if users - people}
    # Closed rows without places are the families that concern no user.
    nameless = {family for family, row in FAMILIES.items() if row.closed and not row.users}
    silent = {name for name, users in found.items() if not users}
    assert SILENT == {name for name in silent if family_of(name) not in {*nameless, "session"}}
    assert {name for name in found if family_of(name) in nameless} <= silent
    # `app` stands for one event without a place for a user.
    assert {*FAMILIES, "app"} == {family_of(name) for name in catalogue()}


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
