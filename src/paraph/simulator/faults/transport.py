"""Faults of any response, shared by several endpoints."""

from __future__ import annotations

import gzip
from functools import cache
from urllib.parse import quote

from paraph.simulator.response import Answer

# Far more than an app may read, and small enough not to harm the machine of the caller.
_MOST_MEBIBYTES = 256


def page(answer: Answer) -> None:
    """Replace it by a 200 with the sign-in page of a wireless network."""
    answer.replace(200, b"<!doctype html><title>Welcome</title><p>Sign in to Wi-Fi", "text/html")


def pad(answer: Answer, mebibytes: int) -> None:
    """Append white space to the content."""
    answer.body += b" " * (min(max(mebibytes, 0), _MOST_MEBIBYTES) << 20)


def bomb(answer: Answer, mebibytes: int) -> None:
    """Compress the content with white space behind it that costs almost nothing to send."""
    answer.body = compressed(answer.body, mebibytes)
    answer.headers["content-encoding"] = "gzip"


def compressed(content: bytes, mebibytes: int) -> bytes:
    """Return content as gzip, followed by this much white space."""
    return gzip.compress(content) + _spaces(min(max(mebibytes, 0), _MOST_MEBIBYTES))


@cache
def _spaces(mebibytes: int) -> bytes:
    # Gzip members may follow each other (RFC 1952 2.2), so one is made and repeated.
    return gzip.compress(b" " * (1 << 20)) * mebibytes


def redirect(answer: Answer, status: int, location: str) -> None:
    """Replace the response by a redirect."""
    answer.replace(status, b"", "text/plain")
    answer.headers["location"] = quote(location, safe=":/%#?=@[]!$&'()*+,;")
