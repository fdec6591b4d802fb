"""The data that a service keeps, for how long and how protected, and its keys."""

from __future__ import annotations

from pathlib import PurePath

from paraph.operations.probes.facts import Facts
from paraph.review.pack import FROM_SETTINGS, MEASURED, Block, Section, Statement, Table, tested
from paraph.settings.keys import is_wrapped
from paraph.settings.model import Settings

_UNTIL_REMOVAL = "until the app is removed"


def data_section(settings: Settings) -> Section:
    """List the kinds of data, with the retention of these settings."""
    events = duration_of(settings.event_retention)
    dead = duration_of(settings.dead_letter_retention)
    rows = [
        ["access and refresh tokens", _UNTIL_REMOVAL, "sealed"],
        ["name and e-mail address at Zoom", _UNTIL_REMOVAL, "sealed"],
        [
            "ids of Zoom user and account, local account, scopes",
            _UNTIL_REMOVAL,
            "in clear, needed to find rows",
        ],
        [
            "bodies of events",
            f"{events} after delivery; without limit while they wait or forwarding is paused",
            "sealed",
        ],
        [
            "names, times and ids of events and notices",
            f"as long as the body; at least {events} after arrival, and a day beyond any replay",
            "in clear, to recognise replays",
        ],
        ["bodies that could not be delivered", f"{dead} after the last attempt", "sealed"],
        ["flows that began", "10 minutes", "sealed cookie, nothing stored"],
        ["hashes of used states", "1 hour", "hash"],
        ["responses to repeated calls", "up to a day", "sealed"],
        ["marks of removed users", "without end, so that they stay removed", "keyed hash"],
        ["receipts of removals", "without end", "no personal data"],
        ["audit", "without end", "people as keyed hashes, entries chained"],
    ]
    return Section(
        "Data kept",
        (Table(("data", "kept", "protection"), rows, f"{FROM_SETTINGS}, and by the schema"),),
    )


def keys_section(facts: Facts, settings: Settings) -> Section:
    """Describe the encryption keys: how many, how kept, how rotated; never a key."""
    wrapped = sum(is_wrapped(one.reveal()) for one in settings.encryption_keys)
    total = len(settings.encryption_keys)
    blocks: list[Block] = [
        Statement(_held(total, wrapped), FROM_SETTINGS),
        Statement(
            "Each use has its own derived key (HKDF). Rotation re-encrypts online, in two phases.",
            tested("tests/operations/test_key_rotation.py"),
        ),
    ]
    if facts.database is not None and facts.database.sealing_key:
        blocks.append(
            Statement(
                f"The database is sealed with the key {facts.database.sealing_key}.", MEASURED
            )
        )
    files = [
        # The reader is at Zoom: folders of this machine tell nothing.
        [PurePath(one.path).name, one.role, f"{one.mode:04o}"]
        for one in facts.files
        if one.exists and one.role in {"settings", "settings copy", "keys", "database"}
    ]
    if files:
        blocks.append(Table(("file", "holds", "mode"), files, MEASURED))
    return Section("Keys and encryption", tuple(blocks))


def _held(total: int, wrapped: int) -> str:
    keys = "One encryption key" if total == 1 else f"{total} encryption keys"
    held = f"{keys} of 256 bits {'is' if total == 1 else 'are'} held"
    return f"{held}, {wrapped} of them wrapped by a key service." if wrapped else f"{held}."


def duration_of(seconds: int) -> str:
    """Format a duration in its largest unit that divides it: the pack states no rounded time."""
    units = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
    size, unit = next(one for one in units if seconds % one[0] == 0)
    return f"{seconds // size} {unit}{'' if seconds == size else 's'}"
