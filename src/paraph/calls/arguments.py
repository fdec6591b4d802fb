"""Checks the arguments of a call before anything is sent, the same for each of the four objects.

Handoffs, nonces and claims may come from a browser. One that cannot be right raises `NotFound`,
as an unknown one does: a host needs one branch for both.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paraph.errors import CallRefused, NotFound, UsageError
from paraph.former_names import warn_former
from paraph.secret import Secret
from paraph.values import Claim

MAX_PAGE_SIZE = 200
# The form of the ids and claims that the service creates.
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
# RFC 7636 section 4.1: the nonce is used as a code verifier is.
_NONCE = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
# paraph sets these itself: another value could change the caller or the length of the call.
_OWN_HEADERS = frozenset(
    {"authorization", "content-length", "cookie", "host", "idempotency-key", "transfer-encoding"}
)


@dataclass(frozen=True, slots=True)
class ZoomCall:
    """A call of Zoom's REST API, as the caller wrote it.

    Attributes:
        method: GET, POST, PUT, PATCH or DELETE.
        path: the encoded path, with `/v2` or without it.
        query: query parameters.
        json: a value to send as the body; None for no such body.
        content: the body, in place of `json`.
        headers: further headers, checked by `caller_headers`.
    """

    method: str
    path: str
    query: Mapping[str, str | int]
    json: Any
    content: bytes | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list of installations; None for no such filter."""

    subject: str | None = None
    account_id: str | None = None
    user_id: str | None = None


def challenge_of(nonce: str) -> str:
    """Compute the S256 challenge of a nonce (RFC 7636 section 4.2).

    The nonce stays in the user's session; only its challenge is sent. `request_link` does this by
    itself.

    Args:
        nonce: 43 to 128 letters, digits and `-._~`, as `secrets.token_urlsafe(32)` returns.

    Raises:
        UsageError: the nonce does not have this form.

    Example:
        >>> challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
    """
    if not _NONCE.fullmatch(nonce):
        raise UsageError(
            "the nonce does not have 43 to 128 letters, digits and -._~",
            remedy="Make it with secrets.token_urlsafe(32), and keep it in the user's session.",
        )
    digest = hashlib.sha256(nonce.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def subject_text(subject: object) -> str:
    """Check that a subject is a text, since a number would be another value elsewhere.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(subject, str):
        raise UsageError(
            f"a subject is a text, and this one is of type {type(subject).__name__}",
            remedy="Convert the id of your user, as in str(user.id).",
        )
    return subject


def session_nonce(nonce: str) -> str:
    """Check the nonce of the session in which a handoff arrived; it may be missing there.

    Raises:
        NotFound: no link request can have been made with it.
    """
    if not _NONCE.fullmatch(nonce):
        raise NotFound("the nonce is not the one of the starting session")
    return nonce


def one_use_code(code: Claim | Secret | str) -> str:
    """Return the text of a handoff or a claim.

    Raises:
        NotFound: no handoff and no claim has this form.
    """
    if isinstance(code, Claim):
        code = code.claim
    if isinstance(code, Secret):
        warn_former("a claim as a Secret", "the claim itself or its text", stacklevel=4)
        code = code.reveal()
    if not _ID.fullmatch(code):
        raise NotFound("no live handoff or claim")
    return code


def id_segment(text: str) -> str:
    """Check the id of an installation and return it as a path segment.

    Raises:
        NotFound: no id has this form, and it could name another resource.
    """
    if not _ID.fullmatch(text):
        raise NotFound("no installation has this id")
    return text


def page_size_of(page_size: int) -> int:
    """Check the number of installations of a page.

    Raises:
        UsageError: it is not between 1 and 200.
    """
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise UsageError(
            f"page_size is {page_size}", remedy=f"Use a number from 1 to {MAX_PAGE_SIZE}."
        )
    return page_size


def caller_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Check the caller's headers for a call of Zoom's API.

    Raises:
        CallRefused: only paraph may set a header, or it could contain a second header.
    """
    for name, value in headers.items():
        lowered = name.lower()
        if lowered in _OWN_HEADERS or lowered.startswith("paraph-"):
            raise CallRefused(
                "a header that only paraph sets",
                remedy="Remove the authorization, host, cookie and paraph-* headers.",
            )
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise CallRefused(
                "a header that is not plain ASCII",
                remedy="Use a word as name and one line of printable ASCII as value.",
            )
    return dict(headers)
