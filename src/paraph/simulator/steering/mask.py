"""Masks secrets for the console; they are shown only on request, one entry at a time.

They are masked on the server, so the page does not contain them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

HIDDEN = "••••••"
_NAMES = (
    "access_token|assertion|authorization|client_assertion|client_secret|code|code_challenge|"
    "code_verifier|cookie|device_code|download_access_token|download_token|encryptedtoken|"
    "plaintoken|password|proxy-authorization|refresh_token|secret|set-cookie|signature|state|"
    "token|transaction|user_code|verification_uri_complete|webhook_secret|x-zm-signature|"
    "x-zoom-app-context"
)
_IS_SECRET = re.compile(f"(?:{_NAMES})", re.IGNORECASE)
# A parameter in a URL or a form, or a member of JSON that could not be parsed, perhaps truncated.
_PARAMETER = re.compile(f"(?<![\\w-])({_NAMES})=[^&\\s\"'<>;,]*", re.IGNORECASE)
_MEMBER = re.compile(f'("(?:{_NAMES})"\\s*:\\s*")[^"]*', re.IGNORECASE)
_CREDENTIALS = re.compile(r"\b(Basic|Bearer)\s+[^\s\"',;]+", re.IGNORECASE)
_DEVICE_PAGE = re.compile(r"(/oauth/device/complete/)[^/?#\s]+")
# Zoom repeats the refused code; a code of another client is still alive.
_REFUSED_CODE = re.compile(r"(Invalid authorization code )[^\s\"',;]+")
_SCHEMES = {"basic", "bearer"}


@dataclass(frozen=True, slots=True)
class Pair:
    """A name and the displayed value."""

    name: str
    value: str


def mask_pairs(pairs: Iterable[Sequence[str]], *, revealed: bool = False) -> list[Pair]:
    """Mask headers, or parameters of a query or form.

    Args:
        pairs: names and values.
        revealed: show the values in clear.
    """
    if revealed:
        return [Pair(name, value) for name, value in pairs]
    return [Pair(name, _mask_value(name, value)) for name, value in pairs]


def mask_body(text: str, *, revealed: bool = False) -> str:
    """Mask a body, and indent JSON for reading.

    Args:
        text: the body.
        revealed: show the values in clear.
    """
    try:
        content = json.loads(text)
        shown = content if revealed else _mask_json(content)
        return json.dumps(shown, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text if revealed else mask_text(text)


def mask_text(text: str) -> str:
    """Mask any text that may contain a URL, a form, JSON or credentials."""
    for pattern, kept in (
        (_PARAMETER, rf"\1={HIDDEN}"),
        (_MEMBER, rf"\1{HIDDEN}"),
        (_CREDENTIALS, rf"\1 {HIDDEN}"),
        (_DEVICE_PAGE, rf"\1{HIDDEN}"),
        (_REFUSED_CODE, rf"\1{HIDDEN}"),
    ):
        text = pattern.sub(kept, text)
    return text


def _mask_value(name: str, value: str) -> str:
    if not _IS_SECRET.fullmatch(name):
        return mask_text(value)
    scheme = value.partition(" ")[0]
    return f"{scheme} {HIDDEN}" if scheme.lower() in _SCHEMES else HIDDEN


def _mask_json(content: Any) -> Any:
    if isinstance(content, dict):
        return {
            name: HIDDEN
            if isinstance(value, str) and _IS_SECRET.fullmatch(name)
            else _mask_json(value)
            for name, value in content.items()
        }
    if isinstance(content, list):
        return [_mask_json(one) for one in content]
    return mask_text(content) if isinstance(content, str) else content
