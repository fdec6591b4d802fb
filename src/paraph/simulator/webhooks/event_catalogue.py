"""The events that Zoom sends, with realistic bodies: data in `events/*.json`, filled in here.

In a body, `${name}` is a value of the world or of the moment. `{"@": "part", ...}` is a part of the
same file with more fields. A string that consists of one `${name}` gets the value's type, so that
numbers stay numbers.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from paraph.simulator.state.access_token import random_text
from paraph.simulator.state.behaviours import Mark, behaviour
from paraph.simulator.state.clock import iso_time
from paraph.simulator.state.world import App, User, World

FOLDER = Path(__file__).parent / "events"
_NAME = re.compile(r"\$\{(\w+)\}")

behaviour(
    "events", "download_token stands beside payload", "documented", source="webhook reference"
)
behaviour("events", "chatbot payloads are in camelCase", "seen", source="zoom/chatbot-nodejs")
behaviour("events", "no event announces an authorization", "unknown", source="none was found")


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event: its body as data, and the certainty of its form."""

    name: str
    family: str
    mark: Mark
    source: str
    body: Mapping[str, Any]
    parts: Mapping[str, Any]


@cache
def catalogue() -> Mapping[str, EventType]:
    """Return every event by name."""
    types: dict[str, EventType] = {}
    for path in sorted(FOLDER.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for name, body in content["events"].items():
            types[name] = EventType(
                name, path.stem, content["mark"], content["source"], body, content["parts"]
            )
    return types


def fill_in(kind: EventType, values: Mapping[str, Any]) -> dict[str, Any]:
    """Build a body: event, event_ts, and the fields of the data.

    Args:
        kind: the event.
        values: the values that the data may name, from `values_for`.

    Raises:
        KeyError: the data names a part or a value that does not exist.
    """
    body = _filled(kind.body, kind.parts, values)
    return {"event": kind.name, "event_ts": values["now_ms"], **body}


def values_for(
    world: World, app: App, user: User, *, now: float, random_bytes: Callable[[int], bytes]
) -> dict[str, Any]:
    """Return the values that bodies may name: people of the world, the moment, and fresh ids.

    Args:
        world: further people and accounts.
        app: the app whose event it is.
        user: the acting user.
        now: wall time in epoch seconds.
        random_bytes: for ids; every body gets its own.
    """
    others = [one for one in world.users if one.account_id == user.account_id and one != user]
    other = others[0] if others else user
    admin = next((one for one in (user, *others) if one.role == "admin"), user)
    number = 80_000_000_000 + int.from_bytes(random_bytes(5), "big") % 10_000_000_000
    first, _, last = other.display_name.partition(" ")
    return {
        "now_ms": int(now * 1000),
        "now": iso_time(now),
        "now_fraction": f"{iso_time(now)[:-1]}.{int(now * 1000) % 1000:03d}Z",
        "earlier": iso_time(now - 1800),
        "later": iso_time(now + 86_400),
        "account_id": user.account_id,
        "client_id": app.client_id,
        "app_name": "Simulated app",
        "user_id": user.id,
        "user_email": user.email,
        "user_name": user.display_name,
        "user_jid": f"{user.id.lower()}@xmpp.zoom.us",
        "other_id": other.id,
        "other_email": other.email,
        "other_name": other.display_name,
        "other_first": first,
        "other_last": last,
        "admin_id": admin.id,
        "admin_email": admin.email,
        "meeting_number": number,
        "meeting_id": str(number),
        "meeting_uuid": base64.b64encode(random_bytes(16)).decode("ascii"),
        "recording_id": random_text(random_bytes, 22),
        "channel_id": random_bytes(16).hex(),
        "bot_id": random_text(random_bytes, 22).lower(),
        "random_id": random_text(random_bytes, 22),
        "uuid": _uuid(random_bytes(16).hex().upper()),
        "hex32": random_bytes(16).hex(),
        "hex64": random_bytes(32).hex(),
        "number_text": str(int.from_bytes(random_bytes(8), "big") >> 1),
        "download_token": ".".join(random_text(random_bytes, length) for length in (36, 160, 86)),
    }


def _filled(content: Any, parts: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    if isinstance(content, str):
        whole = _NAME.fullmatch(content)
        if whole:
            return values[whole[1]]
        return _NAME.sub(lambda found: str(values[found[1]]), content)
    if isinstance(content, list):
        return [_filled(one, parts, values) for one in content]
    if isinstance(content, Mapping):
        given = {key: value for key, value in content.items() if key != "@"}
        if "@" in content:
            given = {**parts[content["@"]], **given}
        return {key: _filled(value, parts, values) for key, value in given.items()}
    return content


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
