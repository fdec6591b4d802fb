"""Patterns that choose events for handlers, and the names that can never occur.

A pattern is a name ("meeting.ended"), the beginning of names ("meeting.*"), or "*" for all names.
The event's source must match as well: a pattern that begins with `installation.` matches only
paraph's own notices. So an attacker who has the webhook secret and signs an event with a notice's
name still reaches no handler of notices.

A pattern that no event can match is refused at registration. Otherwise its handler would never be
called, without any error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from paraph.errors import UsageError
from paraph.lifecycle.outbox import PHASES
from paraph.model.event import NOTICE_PREFIX, ZOOM_PREFIX
from paraph.zoom.event_table import FAMILIES
from paraph.zoom.events import APP_DEAUTHORIZED, URL_VALIDATION

ALL = "*"
NOTICES = tuple(PHASES)

_PATTERN = re.compile(r"[a-z0-9_.]{1,100}|[a-z0-9_.]{0,99}\*")
# A pattern that begins so can mean only `app_deauthorized`.
_APP_DEAUTHORIZED_STEM = "app_deauth"
# Found in every spelling of that name, and in no other name of a Zoom event.
_DEAUTHORIZED = "deauthori"
# Event families in whose names a dot always follows the family.
_DOTTED = frozenset(one for one in FAMILIES if not one.endswith("_"))
# Similarity above which a word counts as a misspelling of a notice's name or of an event family.
# The second is stricter, because Zoom may have families that the table does not list.
_ALIKE, _ALIKE_FAMILY = 0.85, 0.9
_EXAMPLES = 'Write a name as Zoom does: "meeting.ended", "meeting.*" for all that begin so, or "*".'
_REMOVED = (
    'Register "installation.removed": paraph carries out the removal itself and then sends that'
    " notice."
)
_VALIDATION = "Register nothing for it: paraph answers Zoom's URL validation itself."
_NOTICE_LIST = f"The notices are {', '.join(NOTICES)}; {NOTICE_PREFIX}* receives all of them."


@dataclass(frozen=True, slots=True)
class EventPattern:
    """A checked pattern. Create it with `parse`."""

    text: str

    @classmethod
    def parse(cls, text: str) -> EventPattern:
        """Check a pattern.

        Raises:
            UsageError: no event can ever match it; the remedy names the pattern that was meant.
        """
        remedy = _remedy_of(text)
        if remedy:
            raise UsageError(f"no event can match {text!r}", remedy=remedy)
        return cls(text)

    def matches(self, name: str, *, is_notice: bool) -> bool:
        """Return True if the pattern matches an event, or a notice, of this name."""
        if self.text == ALL:
            return True
        if is_notice is not self.text.startswith(NOTICE_PREFIX):
            return False
        if self.text.endswith("*"):
            return name.startswith(self.text[:-1])
        return name == self.text


def _remedy_of(text: object) -> str:
    """Return the advice for a pattern that cannot match, or "" for one that can."""
    if not isinstance(text, str):
        return _EXAMPLES
    if text == ALL:
        return ""
    if not _PATTERN.fullmatch(text):
        return _remedy_of_form(text)
    if text.startswith(ZOOM_PREFIX):
        meant = text.removeprefix(ZOOM_PREFIX)
        return _remedy_of(meant) or (
            f'Register "{meant}": the prefix "{ZOOM_PREFIX}" stands only in forwarded requests.'
        )
    stem = text.removesuffix("*")
    if stem.startswith(".") or ".." in stem or text.endswith("."):
        return _EXAMPLES
    return _remedy_of_name(text) if stem == text else _remedy_of_beginning(stem)


def _remedy_of_form(text: str) -> str:
    """Return the advice for text not in the form of an event name: the nearest valid name."""
    meant = re.sub(r"[^a-z0-9_*]+", ".", text.strip().lower()).strip(".")
    if meant == text or not _PATTERN.fullmatch(meant):
        return _EXAMPLES
    return _remedy_of(meant) or f'Register "{meant}". {_EXAMPLES}'


def _remedy_of_name(name: str) -> str:
    if name == APP_DEAUTHORIZED:
        return _REMOVED
    if name == URL_VALIDATION:
        return _VALIDATION
    if name in NOTICES:
        return ""
    if _DEAUTHORIZED in name:
        return _REMOVED
    if name.startswith(NOTICE_PREFIX) or f"{NOTICE_PREFIX}{name}" in NOTICES:
        return _NOTICE_LIST
    family, dot, rest = name.partition(".")
    if not dot and family in _DOTTED:
        return f'Register "{family}.*".'
    before = max((one for one in _DOTTED if family.startswith(f"{one}_")), key=len, default="")
    if not dot and before:
        return f'Register "{before}.{family.removeprefix(before)[1:]}".'
    if name == URL_VALIDATION.partition(".")[2]:
        return _VALIDATION
    if dot and family not in _DOTTED:
        meant = get_close_matches(family, _DOTTED, n=1, cutoff=_ALIKE_FAMILY)
        if meant:
            return f'Register "{meant[0]}.{rest}".'
    ours = {APP_DEAUTHORIZED: _REMOVED, URL_VALIDATION: _VALIDATION}
    alike = get_close_matches(name, [*ours, *NOTICES], n=1, cutoff=_ALIKE)
    return ours.get(alike[0], _NOTICE_LIST) if alike else ""


def _remedy_of_beginning(stem: str) -> str:
    if _DEAUTHORIZED in stem:
        return _REMOVED
    if APP_DEAUTHORIZED.startswith(stem) and stem.startswith(_APP_DEAUTHORIZED_STEM):
        return _REMOVED
    if URL_VALIDATION.startswith(stem) and stem.startswith("endpoint"):
        return _VALIDATION
    if NOTICE_PREFIX.startswith(stem) and stem != NOTICE_PREFIX:
        # This pattern would match notices and also Zoom events, such as a forged notice.
        return f'Register "{NOTICE_PREFIX}*" for notices, "{ALL}" for everything.'
    if stem.startswith(NOTICE_PREFIX) and not any(one.startswith(stem) for one in NOTICES):
        return _NOTICE_LIST
    return ""
