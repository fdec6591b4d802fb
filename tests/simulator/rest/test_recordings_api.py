"""The meetings and recordings of a world, as the REST API shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paraph.errors import ConfigurationError
from paraph.simulator.state.world import load_world
from paraph.simulator.state.world_content import Meeting, Recording
from simulator.plain_client import JANE, RAVI, PlainClient
from simulator.rest.test_rest_api import grant, says

MEETINGS = "/v2/users/me/meetings"
RECORDINGS = "/v2/users/me/recordings"
READ = ("cloud_recording:read:list_user_recordings", "cloud_recording:read:list_recording_files")


def test_meetings_of_the_world_are_served(plain: PlainClient) -> None:
    """Its meetings are in the list of their host, with their number, and can be deleted."""
    start = datetime(2026, 1, 15, 9, tzinfo=UTC)
    planned = Meeting(id=81234567890, topic="Tide table", start_time=start, duration=30)
    plain.zoom.world.meetings = [planned, Meeting(host_id=RAVI, topic="Of Ravi")]
    token = grant(plain, "meeting:read:meeting", "meeting:write:meeting")

    (shown,) = plain.api(MEETINGS, token).json()["meetings"]
    assert (81234567890, JANE, "Tide table", "2026-01-15T09:00:00Z", 30) == tuple(
        shown[name] for name in ("id", "host_id", "topic", "start_time", "duration")
    )
    one = "/v2/meetings/81234567890"
    assert "waiting" == plain.api(one, token).json()["status"]
    assert 204 == plain.api(one, token, "DELETE").status_code
    assert [] == plain.api(MEETINGS, token).json()["meetings"]


def test_a_list_continues_by_its_token(plain: PlainClient) -> None:
    """The token leads to the next page, for 15 minutes, for the same caller and list only."""
    plain.zoom.world.meetings = [Meeting(topic=f"Number {one}") for one in range(5)]
    token = grant(plain, "meeting:read:meeting", "user:read:list_users:admin")
    seen: list[str] = []
    following = ""
    for _ in range(3):
        query = f"?page_size=2&next_page_token={following}"
        content = plain.api(MEETINGS + query, token).json()
        seen += [one["topic"] for one in content["meetings"]]
        following = content["next_page_token"] or following
    assert [f"Number {one}" for one in range(5)] == seen
    assert (3, 3, 5, "") == tuple(
        content[name] for name in ("page_number", "page_count", "total_records", "next_page_token")
    )
    query = f"?page_size=2&next_page_token={following}"
    assert says(plain.api(f"/v2/users{query}", token), 400, 300)
    assert says(plain.api(f"{MEETINGS}?next_page_token=made-up", token), 400, 300)
    assert 200 == plain.api(MEETINGS + query, token).status_code
    plain.zoom.advance(15 * 60 + 1)
    assert says(plain.api(MEETINGS + query, token), 400, 300)


def test_recordings_are_listed_by_their_day(plain: PlainClient) -> None:
    """The list begins yesterday unless `from` says otherwise, and is never longer than a month."""
    now = datetime.now(UTC)
    plain.zoom.world.recordings = [
        Recording(topic="Today"),
        Recording(topic="Last week", start_time=now - timedelta(days=7)),
        Recording(topic="Last year", start_time=now - timedelta(days=365)),
        Recording(topic="Of Ravi", host_id=RAVI),
    ]
    token = grant(plain, *READ)

    def topics(query: str = "") -> list[str]:
        content = plain.api(RECORDINGS + query, token).json()
        return [one["topic"] for one in content["meetings"]]

    assert ["Today"] == topics()
    assert ["Today", "Last week"] == topics("?from=2020-01-01")
    last_year = (now - timedelta(days=365)).date()
    assert ["Last year"] == topics(f"?from={last_year}&to={last_year}")
    assert ["Today", "Last week"] == [
        *topics(f"?from={(now - timedelta(days=8)).date()}&page_size=2")
    ]
    for wrong in ("tomorrow", "2026-02-30"):
        assert says_field(plain, token, f"{RECORDINGS}?from={wrong}")


def says_field(plain: PlainClient, token: str, path: str) -> bool:
    """Whether the answer names the field `from` as invalid."""
    content = plain.api(path, token).json()
    return (300, "from") == (content["code"], content["errors"][0]["field"])


def test_the_files_of_a_recording_are_downloaded_with_the_access_token(plain: PlainClient) -> None:
    """A recorded meeting has its files, with sizes that are true and addresses that work."""
    plain.zoom.world.recordings = [
        Recording(meeting_id=84000000001, files=["MP4", "TRANSCRIPT"], duration=45)
    ]
    token = grant(plain, *READ)
    meeting = plain.api("/v2/meetings/84000000001/recordings", token).json()
    assert (2, 45) == (meeting["recording_count"], meeting["duration"])
    for one in meeting["recording_files"]:
        path = one["download_url"].removeprefix(plain.zoom.url)
        assert one["file_size"] == len(plain.api(path, token).content)
        assert says(plain.http.get(path), 401, 124)
    assert meeting["total_size"] == sum(one["file_size"] for one in meeting["recording_files"])
    assert says(plain.api("/v2/meetings/84000000002/recordings", token), 404, 3301)
    assert says(plain.api("/rec/download/none", token), 404, 3301)


def test_recordings_of_others_do_not_exist(plain: PlainClient) -> None:
    """A token of one user shows no recording of another one; its scopes are checked."""
    plain.zoom.world.recordings = [Recording(meeting_id=84000000001, host_id=RAVI)]
    admin = grant(plain, *(f"{scope}:admin" for scope in READ))
    meeting = plain.api("/v2/meetings/84000000001/recordings", admin).json()
    path = meeting["recording_files"][0]["download_url"].removeprefix(plain.zoom.url)
    token = grant(plain, *READ)
    assert says(plain.api("/v2/meetings/84000000001/recordings", token), 404, 3301)
    assert says(plain.api(path, token), 404, 3301)
    token = grant(plain, "user:read:user")
    for path in (RECORDINGS, "/v2/meetings/84000000001/recordings"):
        assert says(plain.api(path, token), 400, 4711)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[meetings]]\nhost_id = 'none'", "meetings[0].host_id none names an unknown user"),
        ("[[meetings]]\nid = 7\n[[meetings]]\nid = 7", "meetings[0].id 7 appears twice"),
        ("[[meetings]]\nduration = 'long'", "meetings[0].duration: Expected `int`, got `str`"),
        ("[[meetings]]\nstart_time = 2026-01-15T09:00:00", "meetings[0].start_time: Expected"),
        ("[[meetings]]\ntype = 4", "meetings[0].type: Invalid enum value 4"),
        ("[[recordings]]\nlength = 1", "recordings[0]: Object contains unknown field `length`"),
        ("[[recordings]]\nfiles = ['AVI']", "recordings[0].files[0]: Invalid enum value 'AVI'"),
        ("[[recordings]]\nhost_id = 'none'", "recordings[0].host_id none names an unknown user"),
    ],
)
def test_a_wrong_world_file_is_named_by_table_and_key(
    text: str, problem: str, tmp_path: Path
) -> None:
    """The problem says which entry of which table, and which key."""
    file = tmp_path / "world.toml"
    file.write_text(f"[[users]]\nid = 'u'\n{text}\n")
    with pytest.raises(ConfigurationError) as raised:
        load_world(file)
    assert any(problem in one for one in raised.value.problems), raised.value.problems


def test_a_world_file_may_have_a_time_in_either_form(tmp_path: Path) -> None:
    """TOML's own time and a text are the same instant."""
    file = tmp_path / "world.toml"
    times = ("2026-01-15T09:00:00Z", "'2026-01-15T09:00:00Z'")
    file.write_text("".join(f"[[recordings]]\nstart_time = {one}\n" for one in times))
    first, second = load_world_with_a_user(file)
    assert first.start_time == second.start_time == datetime(2026, 1, 15, 9, tzinfo=UTC)


def load_world_with_a_user(file: Path) -> list[Recording]:
    """The recordings of a world file, to which a user is added."""
    file.write_text(f"[[users]]\nid = 'u'\n{file.read_text()}")
    return load_world(file).recordings
