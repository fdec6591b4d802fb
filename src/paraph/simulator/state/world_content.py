"""The content of a simulated world: the meetings and cloud recordings of its users."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

# Zoom's meeting numbers have up to eleven digits.
Number = Annotated[int, msgspec.Meta(ge=0, le=99_999_999_999)]
Minutes = Annotated[int, msgspec.Meta(ge=0, le=100_000)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
FileType = Literal["MP4", "M4A", "TRANSCRIPT", "CHAT", "TIMELINE"]


class Meeting(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A scheduled meeting.

    Attributes:
        id: the meeting number; 0 for a free one.
        host_id: the user whose meeting it is; "" for the first user.
        type: 1 instant, 2 scheduled, 3 recurring without a fixed time, 8 recurring.
        start_time: an instant with a time zone; None for the time at which the world is loaded.
        duration: minutes.
        participants: e-mail addresses; with any, the meeting is listed as a past one.
    """

    id: Number = 0
    host_id: str = ""
    topic: str = "Zoom Meeting"
    type: Literal[1, 2, 3, 8] = 2
    start_time: Instant | None = None
    duration: Minutes = 60
    timezone: str = "Europe/Lisbon"
    agenda: str = ""
    password: str = ""
    participants: list[str] = []


class Recording(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A cloud recording of a meeting that has ended.

    Attributes:
        meeting_id: the number of the meeting, which need not be in the world any more; 0 for a
            free one.
        host_id: the user whose meeting it was; "" for the first user.
        start_time: an instant with a time zone; None for the time at which the world is loaded.
        duration: minutes.
        files: the types of its files.
    """

    meeting_id: Number = 0
    host_id: str = ""
    topic: str = "Zoom Meeting"
    start_time: Instant | None = None
    duration: Minutes = 30
    files: list[FileType] = msgspec.field(default_factory=lambda: ["MP4", "M4A"])


def find_wrong_content(
    meetings: Sequence[Meeting], recordings: Sequence[Recording], user_ids: Sequence[str]
) -> list[str]:
    """Return the contradictions of meetings and recordings, each with its table and key."""
    problems: list[str] = []
    numbers = [one.id for one in meetings if one.id]
    hosts = [
        *((f"meetings[{at}].host_id", one.host_id) for at, one in enumerate(meetings)),
        *((f"recordings[{at}].host_id", one.host_id) for at, one in enumerate(recordings)),
    ]
    for at, one in enumerate(meetings):
        if one.id and numbers.count(one.id) > 1:
            problems.append(f"meetings[{at}].id {one.id} appears twice")
    for key, host_id in hosts:
        if not user_ids:
            problems.append(f"{key}: the world has no users")
        elif host_id and host_id not in user_ids:
            problems.append(f"{key} {host_id} names an unknown user")
    return problems
