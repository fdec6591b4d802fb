"""The cloud recordings of the world, as the REST API describes them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paraph.simulator.state.clock import iso_time
from paraph.simulator.state.world import User, World
from paraph.simulator.state.world_content import Recording

# Type of file: its extension, its kind of recording, its content.
_FILES: dict[str, tuple[str, str, bytes]] = {
    "MP4": ("MP4", "shared_screen_with_speaker_view", b"\0\0\0\x18ftypmp42 simulated video"),
    "M4A": ("M4A", "audio_only", b"\0\0\0\x18ftypM4A  simulated audio"),
    "TRANSCRIPT": ("VTT", "audio_transcript", b"WEBVTT\n\n1\n00:00.000 --> 00:02.000\nHello.\n"),
    "CHAT": ("TXT", "chat_file", b"00:00:05\tJane Dev:\tHello.\r\n"),
    "TIMELINE": ("JSON", "timeline", b'{"timeline":[]}'),
}
_FIRST = 84_000_000_000


@dataclass(frozen=True, slots=True)
class RecordedMeeting:
    """A meeting that has ended, with its recordings."""

    host: User
    number: int
    instant: float
    content: dict[str, Any]


class Recordings:
    """The recordings of one simulator.

    Args:
        world: returns the world.
        wall: returns epoch seconds of the real world.
    """

    def __init__(self, world: Callable[[], World], wall: Callable[[], float]) -> None:
        self._world = world
        self._wall = wall
        self._loaded_at = wall()

    def all(self, origin: str) -> list[RecordedMeeting]:
        """Return every recorded meeting; the newest first.

        Args:
            origin: the origin of the download URLs.
        """
        world = self._world()
        found = [
            self._described(one, at, host, origin)
            for at, one in enumerate(world.recordings)
            if (host := world.host(one.host_id)) is not None
        ]
        return sorted(found, key=lambda one: -one.instant)

    def file(self, file_id: str) -> tuple[RecordedMeeting, bytes] | None:
        """Return a file's meeting and its content."""
        for meeting in self.all(""):
            for one in meeting.content["recording_files"]:
                if one["id"] == file_id:
                    return meeting, _FILES[one["file_type"]][2]
        return None

    def clear(self) -> None:
        """Take the present time for recordings without a start."""
        self._loaded_at = self._wall()

    def _described(self, recording: Recording, at: int, host: User, origin: str) -> RecordedMeeting:
        number = recording.meeting_id or _FIRST + 7_919 * (at + 1)
        start = (
            self._loaded_at if recording.start_time is None else recording.start_time.timestamp()
        )
        uuid = base64.b64encode(_digest(f"{number} {start} {at}", 16)).decode()
        common = {
            "meeting_id": uuid,
            "recording_start": iso_time(start),
            "recording_end": iso_time(start + 60 * recording.duration),
        }
        files = [
            _describe_file(kind, f"{uuid} {position}", origin) | common
            for position, kind in enumerate(recording.files)
        ]
        content = {
            "uuid": uuid,
            "id": number,
            "account_id": host.account_id,
            "host_id": host.id,
            "topic": recording.topic,
            "type": 2,
            "start_time": iso_time(start),
            "timezone": "Europe/Lisbon",
            "duration": recording.duration,
            "total_size": sum(one["file_size"] for one in files),
            "recording_count": len(files),
            "share_url": f"https://us02web.zoom.us/rec/share/{_digest(uuid, 12).hex()}",
            "recording_files": files,
        }
        return RecordedMeeting(host, number, start, content)


def _describe_file(kind: str, name: str, origin: str) -> dict[str, Any]:
    extension, recording_type, content = _FILES[kind]
    file_id = _digest(name, 16).hex()
    return {
        "id": file_id,
        "file_type": kind,
        "file_extension": extension,
        "file_size": len(content),
        "play_url": f"https://us02web.zoom.us/rec/play/{file_id}",
        "download_url": f"{origin}/rec/download/{file_id}",
        "status": "completed",
        "recording_type": recording_type,
    }


def _digest(text: str, length: int) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:length]
