"""The content of an event as its user may receive it: without secrets, and without other people.

The content of Zoom's events has a shape for each family, and new families appear. So the rules go
by the names of fields and by the form of values, and take out more than they must.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

REPLACED = "(not exported)"
_SECRET = re.compile(
    r"pass(word|code|wd)|pwd|token|secret|credential|zak|(?:\A|_)(?:pin|key)\Z", re.IGNORECASE
)
_OTHERS = re.compile(
    r"participant|registrant|panelist|attendee|invitee|alternative_host|sender|contact|operator"
    r"|assistant|delegate|member|caller|callee",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")


class Person(NamedTuple):
    """The user whose data is exported; `email` is "" if it is not known."""

    user_id: str
    email: str


def content_for(person: Person, content: Any) -> Any:
    """Return the content of an event for one user.

    - Fields whose names say password, token or the like are replaced.
    - People other than the user are replaced: participants, registrants, operators and so on.
    - Other e-mail addresses are replaced.
    - URLs are shortened to their origin: one of Zoom's may open a recording or start a meeting.

    Args:
        person: the user.
        content: JSON values.
    """
    if isinstance(content, dict):
        return {name: _field(person, name, value) for name, value in content.items()}
    if isinstance(content, list):
        return [content_for(person, one) for one in content]
    return _text(person, content) if isinstance(content, str) else content


def _field(person: Person, name: str, value: Any) -> Any:
    if _SECRET.search(name):
        return REPLACED
    if _OTHERS.search(name):
        if isinstance(value, list):
            return [_of_someone(person, one) for one in value]
        return _of_someone(person, value)
    return content_for(person, value)


def _of_someone(person: Person, value: Any) -> Any:
    """Return a value of a field about people, if it is about this user."""
    own = {one for one in person if one}
    fields = value.values() if isinstance(value, dict) else (value,)
    if any(isinstance(one, str) and one in own for one in fields):
        return content_for(person, value)
    return REPLACED


def _text(person: Person, value: str) -> str:
    if value.startswith(("https://", "http://")):
        return _origin_of(value)
    return _EMAIL.sub(lambda found: found[0] if found[0] == person.email else REPLACED, value)


def _origin_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return REPLACED
    # Without user information, which may hold a password.
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"
