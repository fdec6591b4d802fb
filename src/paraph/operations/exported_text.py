"""Text as the user of an export may receive it: no credential in it, and no foreign address.

The text is read word by word and each word is searched for fixed text, so the time is in
proportion to the length. The writer of a meeting's topic decides about that length.
"""

from __future__ import annotations

import re

REPLACED = "(not exported)"
_WORD = re.compile(r"\S++")
_CREDENTIAL = re.compile(
    r"(?=[pthsazj])((?:pass ?(?:word|code|wd|phrase)|pwd|token|secret|signature"
    r"|(?:host|api|access|stream)[ _-]?key|(?<![a-z0-9])(?:zak|tk|jwt|pin))"
    r"\b[\"']?\s*+(?:[:=\N{FULLWIDTH COLON}]|is\b)\s*+)"
    rf"(?:{re.escape(REPLACED)}|\S++)",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z", re.IGNORECASE)
# More than the longest scheme that is registered for a program of Zoom's.
_SCHEME_LENGTH = 32
_END_OF_HOST = re.compile(r"[/?#\\]")
_AROUND_ADDRESS = "<>()[]{},;:.!?@\"'"


def text_for(email: str, text: str) -> str:
    """Return a text without the paths of URLs, credentials and foreign e-mail addresses.

    A URL anywhere in the text is shortened to its origin: one of Zoom's may open a recording or
    start a meeting. The word after "password:" and the like is replaced.

    Args:
        email: the user's own address, which is kept; "" if it is not known.
        text: of any length.
    """
    shortened = _WORD.sub(lambda found: _word_for(email, found[0]), text)
    return _CREDENTIAL.sub(lambda found: found[1] + REPLACED, shortened)


def _word_for(email: str, word: str) -> str:
    if "%2f" in word.lower():
        # A URL inside of another one, or one that was encoded for it.
        return REPLACED
    before, separator, rest = word.partition("://")
    if separator:
        scheme = _SCHEME.search(before[-_SCHEME_LENGTH:])
        # Without user information, which may hold a password.
        host = _END_OF_HOST.split(rest, maxsplit=1)[0].rpartition("@")[2]
        return f"{scheme[0] if scheme else ''}://{host}/…"
    if "@" in word.strip(_AROUND_ADDRESS):
        return word if email and word.strip(_AROUND_ADDRESS) == email else REPLACED
    return _without_path(word)


def _without_path(word: str) -> str:
    """Return a word without what follows the host, if it may be a URL without its beginning."""
    dot = word.find(".")
    end = _END_OF_HOST.search(word, dot) if dot >= 0 else None
    if end is None or end.start() >= len(word.rstrip("?/")):
        return word
    return f"{word[: end.start()]}/…"
