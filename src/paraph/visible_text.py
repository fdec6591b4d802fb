r"""Shows text from outside so that no terminal, log reader or parser obeys it.

A control character moves a cursor or begins a new line. A direction mark reverses a line.
Half a surrogate pair cannot be written at all. Each is shown as an escape such as `\x1b`.
"""

from __future__ import annotations

import json
import re
from typing import Any

# In JSON these characters can only occur inside strings.
_OUTSIDE_ASCII = re.compile(r"[^\x00-\x7e]")


def visible(text: str, *, keep: str = "") -> str:
    """Escape every character that is not printable; `keep` names exceptions."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def json_text(content: Any) -> str:
    """Serialize readably: letters of all scripts unchanged, other characters as JSON escapes."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return _OUTSIDE_ASCII.sub(_json_escaped, text).replace("\x7f", "\\u007f") + "\n"


def _json_escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    if 0xD800 <= ord(character) < 0xE000:
        # A lone surrogate is no character, and JSON parsers refuse it.
        return "\N{REPLACEMENT CHARACTER}"
    return json.dumps(character)[1:-1]
