r"""URL resolution as browsers do it, which differs from RFC 3986.

A browser drops control characters, takes `\` for `/`, and any number of slashes before a host for
two (WHATWG URL Standard, section 4.4). A redirect that leaves the app only in a browser is still an
open redirect, so the checks resolve addresses the browser's way.
"""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

INVALID = "about:invalid"
_AROUND = "".join(chr(one) for one in range(0x21))
_WITHIN = str.maketrans("", "", "\t\r\n")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)


def resolved(base: str, text: str) -> str:
    """Resolve an address found on the page `base`; INVALID if a browser would not follow it."""
    text = text.strip(_AROUND).translate(_WITHIN)
    scheme = urlsplit(base).scheme
    if found := _SCHEME.match(text):
        named = found[1].lower()
        if named not in {"http", "https"}:
            return text if can_be_split(text) else INVALID
        rest = _slashed(found[2])
        if named != scheme or rest.startswith("//"):
            return _valid(f"{named}://{rest.lstrip('/')}")
        # On an http page, `http:a/b` is a relative address.
        text = rest
    text = _slashed(text)
    if text.startswith("//"):
        return _valid(f"{scheme}://{text.lstrip('/')}")
    return _valid(urljoin(base, text))


def _slashed(text: str) -> str:
    end = min((at for at in (text.find("?"), text.find("#")) if at >= 0), default=len(text))
    return text[:end].replace("\\", "/") + text[end:]


def can_be_split(text: str) -> bool:
    """Return True if a text can be taken apart as a URL: `http://[::1` cannot."""
    try:
        urlsplit(text)
    except ValueError:
        return False
    return True


def _valid(url: str) -> str:
    try:
        parts = urlsplit(url)
        reachable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return INVALID
    return url if reachable else INVALID
