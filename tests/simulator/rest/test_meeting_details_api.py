"""What published clients ask for around meetings and users."""

from __future__ import annotations

import pytest

from paraph.simulator.state.world import Meeting
from simulator.plain_client import PlainClient
from simulator.rest.test_rest_api import grant, says

SCOPES = (
    "user:read:user",
    "user:read:settings",
    "user:read:zak",
    "webinar:read:list_webinars",
    "meeting:read:invitation",
    "meeting:update:status",
    "meeting:read:list_registrants",
    "meeting:write:registrant",
    "meeting:read:past_meeting",
    "meeting:read:list_past_participants",
)
NUMBER = 85_123_456_789


@pytest.fixture
def token(plain: PlainClient) -> str:
    """An access token for all of it, and one past meeting."""
    plain.zoom.world.meetings.append(
        Meeting(id=NUMBER, topic="Tides", participants=["jane@example.com", "ana@example.org"])
    )
    return grant(plain, *SCOPES)


def test_a_past_meeting_has_participants(plain: PlainClient, token: str) -> None:
    """A meeting of the world with participants is a past one; users of the world keep their id."""
    past = plain.api(f"/v2/past_meetings/{NUMBER}", token).json()
    assert ("Tides", 2, 120) == (
        past["topic"],
        past["participants_count"],
        past["total_minutes"],
    )
    for path in ("past_meetings", "report/meetings"):
        people = plain.api(f"/v2/{path}/{NUMBER}/participants", token).json()["participants"]
        assert [("Jane Dev", plain.zoom.user.id), ("ana", "")] == [
            (one["name"], one["id"]) for one in people
        ]
    plain.zoom.world.meetings.append(Meeting(id=NUMBER + 1))
    assert says(plain.api(f"/v2/past_meetings/{NUMBER + 1}", token), 404, 3001)


def test_registrants_are_added_and_listed(plain: PlainClient, token: str) -> None:
    """A registrant needs an address and a first name, and is listed afterwards."""
    headers = {"authorization": f"Bearer {token}"}
    path = f"/v2/meetings/{NUMBER}/registrants"
    wanted = {"email": "ana@example.org", "first_name": "Ana", "unknown": 1}
    made = plain.http.post(path, headers=headers, json=wanted)
    assert (201, NUMBER) == (made.status_code, made.json()["id"])
    (one,) = plain.api(path, token).json()["registrants"]
    assert ("Ana", made.json()["registrant_id"]) == (one["first_name"], one["id"])
    assert "unknown" not in one
    for wrong in ({}, {"email": "x@example.org"}, {"email": 1, "first_name": "A"}):
        assert 400 == plain.http.post(path, headers=headers, json=wrong).status_code


def test_details_of_meetings_and_users(plain: PlainClient, token: str) -> None:
    """Invitation, status, settings, Zoom access key and webinars respond with Zoom's fields."""
    headers = {"authorization": f"Bearer {token}"}
    assert "Tides" in plain.api(f"/v2/meetings/{NUMBER}/invitation", token).json()["invitation"]
    path = f"/v2/meetings/{NUMBER}/status"
    assert 204 == plain.http.put(path, headers=headers, json={"action": "end"}).status_code
    assert 400 == plain.http.put(path, headers=headers, json={"action": "no"}).status_code
    assert "recording" in plain.api("/v2/users/me/settings", token).json()
    assert 120 == len(plain.api("/v2/users/me/token", token).json()["token"])
    assert [] == plain.api("/v2/users/me/webinars", token).json()["webinars"]


def test_each_needs_its_scope(plain: PlainClient, token: str) -> None:
    """Without the scope the error names it."""
    assert token
    bare = grant(plain, "user:read:user")
    for path in (
        "/v2/users/me/settings",
        "/v2/users/me/webinars",
        f"/v2/meetings/{NUMBER}/invitation",
        f"/v2/past_meetings/{NUMBER}/participants",
    ):
        assert says(plain.api(path, bare), 400, 4711)


def test_a_profile_shows_the_fields_of_the_world(plain: PlainClient) -> None:
    """What a world file says of a user, the REST API says too."""
    user = plain.zoom.user
    user.type, user.timezone, user.dept, user.verified = 1, "Asia/Tokyo", "Tides", False
    content = plain.api("/v2/users/me", grant(plain, "user:read:user")).json()
    names = ("type", "timezone", "dept", "verified")
    assert [1, "Asia/Tokyo", "Tides", 0] == [content[name] for name in names]
