"""Masks secrets in reports: each value becomes its kind and a short fingerprint."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from urllib.parse import quote

# Values that the app made itself are not known beforehand; they are recognised by their place.
_HEADER = re.compile(r"(?im)^((?:set-)?cookie|authorization): (.+)$")
# Matches in a URL, in one quoted by HTML or JSON, and in one inside another's query.
_PARAMETER = re.compile(
    r"(?i)((?:[?&;\s\"']|\\u0026|%26|%3f)"
    r"(?:state|code|code_verifier|handoff|request|csrf|token|claim)(?:=|%3d))"
    r"([^&\s\"'<>\[\\]{12,})"
)
_HIDDEN = re.compile(r"(?i)(value=\"?)([A-Za-z0-9_.~+/=-]{16,})")
_PAIR = re.compile(r"([^=;,\s]+)=([^;,\s]{8,})")


def fingerprint(value: str) -> str:
    """Return six letters that are the same for equal values and reveal nothing else."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:6]


def mask(text: str, secrets: Mapping[str, str]) -> str:
    """Mask the secrets in a text, in every spelling of `spellings`."""
    for value, what in sorted(secrets.items(), key=lambda one: -len(one[0])):
        for spelling in spellings(value):
            if spelling in text:
                text = text.replace(spelling, f"[{what} {fingerprint(value)}]")
    text = _HEADER.sub(_mask_header, text)
    for pattern in (_PARAMETER, _HIDDEN):
        text = pattern.sub(lambda found: f"{found[1]}[{fingerprint(found[2])}]", text)
    return text


def printable(text: str) -> str:
    """Remove control characters from a line, because the app may have influenced it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _mask_header(found: re.Match[str]) -> str:
    name, value = found[1], found[2]
    if name.lower() == "authorization":
        scheme, _, rest = value.partition(" ")
        return f"{name}: {scheme} [{fingerprint(rest)}]"
    if name.lower() == "set-cookie":
        first, semicolon, rest = value.partition(";")
        return f"{name}: {_mask_pairs(first)}{semicolon}{rest}"
    return f"{name}: {_mask_pairs(value)}"


def _mask_pairs(text: str) -> str:
    return _PAIR.sub(lambda pair: f"{pair[1]}=[{fingerprint(pair[2])}]", text)


def spellings(value: str) -> list[str]:
    """Return a secret as it is, percent-encoded, and in base64 at each of the three alignments."""
    raw = value.encode()
    found = [value, quote(value, safe="")]
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        # The characters at both ends depend on the neighbouring bytes.
        middle = encoded[(4 if shift else 0) : len(encoded) - 4].decode().rstrip("=")
        if len(middle) >= 12:
            found += [middle, middle.replace("+", "-").replace("/", "_")]
    return list(dict.fromkeys(found))
