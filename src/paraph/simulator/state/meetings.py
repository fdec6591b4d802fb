"""Meetings: those of the world, and those that apps create; the newest 1 000 are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from paraph.simulator.state.clock import iso_time
from paraph.simulator.state.world import User, World
from paraph.simulator.state.world_content import Meeting as Planned

_MOST = 1000
_FIRST = 85_000_000_000
_SETTABLE = {"topic", "type", "start_time", "duration", "timezone", "agenda", "password"}
_SETTINGS: dict[str, Any] = {
    "host_video": False,
    "participant_video": False,
    "cn_meeting": False,
    "in_meeting": False,
    "join_before_host": False,
    "mute_upon_entry": True,
    "watermark": False,
    "use_pmi": False,
    "approval_type": 2,
    "audio": "both",
    "auto_recording": "none",
    "enforce_login": False,
    "enforce_login_domains": "",
    "alternative_hosts": "",
    "close_registration": False,
    "show_share_button": False,
    "waiting_room": True,
    "registrants_email_notification": True,
    "meeting_authentication": False,
}
_DEFAULTS: dict[str, Any] = {
    "topic": "Zoom Meeting",
    "type": 2,
    "duration": 60,
    "timezone": "Europe/Lisbon",
    "agenda": "",
}


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting of a user.

    Attributes:
        participants: the e-mail addresses of those who took part; empty if it has not ended.
        registrants: the registrants, as the REST API describes them.
    """

    host: User
    content: dict[str, Any]
    participants: tuple[str, ...] = ()
    registrants: list[dict[str, Any]] = field(default_factory=list)


class Meetings:
    """The meetings of one simulator.

    Args:
        world: returns the world, whose meetings are added when they are first looked for.
        wall: returns epoch seconds of the real world.
        random_text: returns random text for ids and passwords.
    """

    def __init__(
        self,
        world: Callable[[], World],
        wall: Callable[[], float],
        random_text: Callable[[int], str],
    ) -> None:
        self._world = world
        self._wall = wall
        self._random_text = random_text
        self._kept: OrderedDict[int, Meeting] = OrderedDict()
        self._added: list[Planned] = []
        self._number = _FIRST

    def create(self, host: User, wanted: dict[str, Any]) -> Meeting:
        """Create a meeting.

        Args:
            host: the user whose meeting it is.
            wanted: the fields of the request; read-only and unknown ones are ignored.
        """
        self._add_those_of_the_world()
        return self._create(host, self._next_number(), wanted)

    def _next_number(self) -> int:
        while True:
            self._number += 7_919
            if self._number not in self._kept:
                return self._number

    def _create(self, host: User, number: int, wanted: dict[str, Any]) -> Meeting:
        now = self._wall()
        password = self._random_text(6)
        content = {
            "uuid": f"{self._random_text(22)}==",
            "id": number,
            "host_id": host.id,
            "host_email": host.email,
            "status": "waiting",
            **_DEFAULTS,
            "start_time": iso_time(now),
            "created_at": iso_time(now),
            "start_url": f"https://us02web.zoom.us/s/{number}?zak={self._random_text(24)}",
            "join_url": f"https://us02web.zoom.us/j/{number}?pwd={self._random_text(16)}",
            "password": password,
            "h323_password": password,
            "pstn_password": password,
            "encrypted_password": self._random_text(32),
            "settings": dict(_SETTINGS),
            "pre_schedule": False,
        }
        _set(content, wanted)
        meeting = Meeting(host, content)
        self._kept[number] = meeting
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return meeting

    def find(self, number: str) -> Meeting | None:
        """Return a meeting by its number."""
        self._add_those_of_the_world()
        # int() accepts far more than digits, and refuses very long numbers.
        return (
            self._kept.get(int(number))
            if number.isascii() and number.isdecimal() and len(number) <= 12
            else None
        )

    def of(self, user: User) -> list[Meeting]:
        """Return the meetings of a user, oldest first."""
        self._add_those_of_the_world()
        return [one for one in self._kept.values() if one.host.id == user.id]

    def _add_those_of_the_world(self) -> None:
        """Add the meetings that the world has got since the last time; a deleted one stays away."""
        world = self._world()
        for planned in world.meetings:
            if any(one is planned for one in self._added):
                continue
            self._added.append(planned)
            host = world.host(planned.host_id)
            if host is None:
                continue
            start = planned.start_time
            wanted: dict[str, Any] = {
                "topic": planned.topic,
                "type": planned.type,
                "start_time": iso_time(self._wall() if start is None else start.timestamp()),
                "duration": planned.duration,
                "timezone": planned.timezone,
                "agenda": planned.agenda,
            }
            wanted |= {"password": planned.password} if planned.password else {}
            number = planned.id or self._next_number()
            made = self._create(host, number, wanted)
            self._kept[number] = replace(made, participants=tuple(planned.participants))

    def change(self, meeting: Meeting, wanted: dict[str, Any]) -> None:
        """Set the writable fields of a meeting; the others are ignored."""
        _set(meeting.content, wanted)

    def delete(self, meeting: Meeting) -> None:
        """Delete a meeting."""
        self._kept.pop(meeting.content["id"], None)

    def clear(self) -> None:
        """Delete all meetings; those of the world are added again."""
        self._kept.clear()
        self._added.clear()
        self._number = _FIRST


def _set(content: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Write the writable fields, settings one by one; all others are ignored."""
    content.update({name: value for name, value in wanted.items() if name in _SETTABLE})
    settings = wanted.get("settings")
    if isinstance(settings, dict):
        known = {name: value for name, value in settings.items() if name in _SETTINGS}
        content["settings"].update(known)


def describe_in_list(meeting: Meeting) -> dict[str, Any]:
    """Return the fields that a list has of each meeting."""
    names = (
        "uuid",
        "id",
        "host_id",
        "topic",
        "type",
        "start_time",
        "duration",
        "timezone",
        "created_at",
        "join_url",
        "agenda",
    )
    return {name: meeting.content[name] for name in names}
