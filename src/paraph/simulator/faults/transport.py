"""Changes of a response that the faults of several endpoints share."""

from __future__ import annotations

import gzip
from functools import cache
from urllib.parse import quote

from paraph.simulator.response import ResponseDraft

# Far more than an app may read, and not enough to harm the caller's machine.
_MOST_MEBIBYTES = 256


def captive_portal(response: ResponseDraft) -> None:
    """Replace the response by a 200 with the sign-in page of a wireless network."""
    response.replace(200, b"<!doctype html><title>Welcome</title><p>Sign in to Wi-Fi", "text/html")


def pad(response: ResponseDraft, mebibytes: int) -> None:
    """Append white space to the body."""
    response.body += b" " * (min(max(mebibytes, 0), _MOST_MEBIBYTES) << 20)


def bomb(response: ResponseDraft, mebibytes: int) -> None:
    """Compress the body with white space behind it, which is almost free to send."""
    response.body = compressed(response.body, mebibytes)
    response.headers["content-encoding"] = "gzip"


def compressed(content: bytes, mebibytes: int) -> bytes:
    """Return content as gzip, followed by mebibytes of white space."""
    return gzip.compress(content) + _spaces(min(max(mebibytes, 0), _MOST_MEBIBYTES))


@cache
def _spaces(mebibytes: int) -> bytes:
    # Gzip members may follow each other (RFC 1952 2.2), so one is made and repeated.
    return gzip.compress(b" " * (1 << 20)) * mebibytes


def redirect(response: ResponseDraft, status: int, location: str) -> None:
    """Replace the response by a redirect."""
    response.replace(status, b"", "text/plain")
    response.headers["location"] = quote(location, safe=":/%#?=@[]!$&'()*+,;")
