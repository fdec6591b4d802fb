r"""Shows text from outside so that no terminal, log reader or parser obeys it.

A control character moves a cursor or begins a new line. A direction mark reverses a line.
Half a surrogate pair cannot be written at all. Each is shown as an escape such as `\x1b`.
"""

from __future__ import annotations


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
