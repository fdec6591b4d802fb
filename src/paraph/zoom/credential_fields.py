"""Query words that carry a credential, or request one in the response.

A query is read in every spelling that some server might accept. Fields are separated by `&` or `;`
and decoded once or several times. Words may have any case and width, and stand in lists or JSON.
A field that only looks like a credential is refused too; `proxy_allow` may name it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

Field = tuple[str, str]
"""The name of a query field, and the word in its value that asks for a credential."""

# Without _ and -, as `_plain` returns them. Words that end with "token" or "tokens" are credentials
# as well, except those that continue a list.
_CREDENTIALS = frozenset(
    {
        *("zak", "jwt", "bearer", "hostkey", "apikey", "clientsecret", "secret"),
        *("accesskey", "privatekey", "streamkey"),
    }
)
_CONTINUES_A_LIST = frozenset(
    {
        *("nextpagetoken", "pagetoken", "prevpagetoken", "previouspagetoken"),
        *("synctoken", "nextsynctoken", "continuationtoken"),
    }
)
# Their values are typed by a person and are not field names.
_FREE_TEXT = frozenset(
    {"searchkey", "searchkeyword", "keyword", "keywords", "query", "q", "search"}
)
# Resources that contain a credential although their name does not say so: the stream key of
# `/v2/meetings/{id}/livestream`.
_HAND_OUT_CREDENTIALS = frozenset({"livestream", "livestreams"})
# In these fields a wildcard requests everything, credentials included.
_SELECTORS = re.compile(r"field|include|expand|select|embed")
_WILDCARD = re.compile(r"\*|\ball\b")
_SEPARATORS = re.compile(r"[&;]")
_WORD = re.compile(r"[a-z0-9_-]+")
_DECODINGS = 4


def names_credential(text: str) -> bool:
    """Return true if a segment of a path, in any case, names a credential or its container."""
    # An e-mail address is a user's id, whatever words it contains.
    return "@" not in text and any(
        _is_credential(word) or _plain(word) in _HAND_OUT_CREDENTIALS for word in _words(text)
    )


def carried_credentials(query: str) -> frozenset[str]:
    """Return the names of fields that carry a credential."""
    return frozenset(
        word for name, _value in _fields(query) for word in _words(name) if _is_credential(word)
    )


def requested_credentials(query: str) -> frozenset[Field]:
    """Return the fields that request a credential in the response."""
    found: set[Field] = set()
    for name, value in _fields(query):
        plain = _plain(_folded(name))
        if plain in _FREE_TEXT or plain in _CONTINUES_A_LIST:
            continue
        words = _words(value)
        found |= {(plain, _plain(word)) for word in words if _is_credential(word)}
        if _SELECTORS.search(plain) and _WILDCARD.search(_folded(value)):
            found.add((plain, "*"))
    return frozenset(found)


def _fields(query: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each field, in every decoding of the query."""
    text = query
    for _ in range(_DECODINGS):
        for piece in _SEPARATORS.split(text):
            name, _, value = piece.partition("=")
            yield _decoded(name), _decoded(value)
        decoded = _decoded(text)
        if decoded == text:
            return
        text = decoded


def _decoded(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "replace")


def _words(text: str) -> list[str]:
    return _WORD.findall(_folded(text))


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    if plain.isascii():
        return plain
    # Some servers drop characters without width, like a soft hyphen.
    return "".join(one for one in plain if unicodedata.category(one) != "Cf")


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word)


def _is_credential(word: str) -> bool:
    plain = _plain(word)
    if plain in _CONTINUES_A_LIST:
        return False
    last = re.split(r"[_-]", word)[-1]
    return plain in _CREDENTIALS or last in _CREDENTIALS or plain.endswith(("token", "tokens"))
