"""Splits a command for the Windows shell cmd, as browsers write it ("Copy as cURL (cmd)")."""

from __future__ import annotations

import re

from paraph.errors import UsageError
from paraph.explain.capture import REMEDY

_QUOTE = re.compile(r"['\"]")
_CONTINUED = re.compile(r"\^\r?\n")


def is_cmd_text(text: str) -> bool:
    """Return true if a command is written for cmd: its first quote is `^"`, or `^` ends a line."""
    first = _QUOTE.search(text)
    if first is None or first[0] == "'":
        return False
    return text[: first.start()].endswith("^") or _CONTINUED.search(text) is not None


def cmd_words(text: str) -> list[str]:
    """Split a command into words.

    Raises:
        UsageError: a quote is not closed.
    """
    text = _without_carets(text)
    words: list[str] = []
    current: list[str] | None = None
    place, is_quoted = 0, False
    while place < len(text):
        pair, letter = text[place : place + 2], text[place]
        if pair in {"\\\\", '\\"'} or (is_quoted and pair == '""'):
            current = [*(current or []), pair[1]]
            place += 2
            continue
        if letter == '"':
            is_quoted = not is_quoted
            current = current or []
        elif letter in " \t\r\n" and not is_quoted:
            if current is not None:
                words.append("".join(current))
            current = None
        else:
            current = current or []
            current.append(letter)
        place += 1
    if is_quoted:
        raise UsageError("a quote of the cURL command is not closed", remedy=REMEDY)
    return words if current is None else [*words, "".join(current)]


def _without_carets(text: str) -> str:
    """Apply the carets of a command: the character behind a caret is taken literally.

    A caret at the end of a line joins the next line, whose first character is taken literally.
    Between quotes without a caret, a caret is an ordinary character.
    """
    found: list[str] = []
    place, is_quoted = 0, False
    text = text.replace("\r\n", "\n")
    while place < len(text):
        if text[place] == "^" and not is_quoted:
            place += 2 if text[place + 1 : place + 2] == "\n" else 1
        elif text[place] == '"':
            is_quoted = not is_quoted
        found.append(text[place : place + 1])
        place += 1
    return "".join(found)
