"""Zoom's identifiers: opaque, case-sensitive, compared byte for byte."""

from __future__ import annotations

import re

# Zoom's ids are 22 characters of base64url today; older and meeting ids have `+`, `/` and `=`, and
# the documentation prints one with `!`. The only requirement is that a database, a log and a
# header can carry the id: printable ASCII without the space.
_IDENTIFIER = re.compile(r"[\x21-\x7e]{1,64}")


def parse_identifier(value: object) -> str | None:
    """Return the value itself if it is an identifier: 1 to 64 printable ASCII characters.

    Nothing is trimmed, folded or normalised: two spellings are two accounts. Anything else,
    including a number or an empty string, gives `None`, whose meaning the caller decides.
    """
    if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
        return value
    return None
