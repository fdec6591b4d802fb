"""Builds request paths from segments that are kept byte for byte or refused.

An id or path may come from an untrusted user of the host. HTTP libraries resolve `..`, drop
fragments and accept absolute URLs. So a segment that could be read in another way is refused here.
Then the URL that the library has built is compared with the intended path (CWE-22).
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import httpx

from paraph.errors import CallRefused, UsageError

# The service's rule for a segment of Zoom's path, so that a refused path is never sent.
_ZOOM_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~@+=:,-]|%(?:40|2[BbCc]|3[AaDd]))+")
_DOTS = re.compile(r"\.+")
# A meeting UUID; Zoom requires that a slash in it is percent-encoded twice.
_TWICE_ENCODED = re.compile(r"(?:[A-Za-z0-9+=]|%(?:2[Bb]|3[Dd])|%25(?:2[BbFf]|3[Dd])){24}")
_UUID = re.compile(rb"[A-Za-z0-9+/]{22}==")
_NAMED_BY_UUID = frozenset({"meetings", "past_meetings", "webinars", "past_webinars"})
_METHOD = re.compile(r"[A-Za-z]{1,16}")
_API_PREFIX = "/v2/"


def zoom_path(path: str) -> str:
    """Check a path of Zoom's REST API; return the part below `/v2/`, as of "/v2/users/me".

    Raises:
        CallRefused: a segment is empty, consists of dots, or would not arrive unchanged.
    """
    whole = path if path.startswith(_API_PREFIX) else f"/v2{path}"
    segments = whole.removeprefix(_API_PREFIX).split("/")
    for before, segment in zip(["", *segments], segments, strict=False):
        if not _is_plain(segment) and not (before in _NAMED_BY_UUID and _is_uuid(segment)):
            raise _refused(
                "path",
                "Use segments of letters, digits and ._~@+=:,- without dot segments; "
                "@ + , : = may be percent-encoded. Encode a meeting UUID that contains a slash "
                "twice. Pass the query as the argument query.",
            )
    if not whole.startswith(_API_PREFIX):
        raise _refused("path", "Begin the path with /, as in /users/me.")
    return whole


def _is_plain(segment: str) -> bool:
    return bool(_ZOOM_SEGMENT.fullmatch(segment)) and not _DOTS.fullmatch(segment)


def _is_uuid(segment: str) -> bool:
    if not _TWICE_ENCODED.fullmatch(segment):
        return False
    return bool(_UUID.fullmatch(unquote_to_bytes(unquote_to_bytes(segment))))


def http_method(method: str) -> str:
    """Check an HTTP method for a call of Zoom's API.

    Raises:
        CallRefused: it is not a word, so it could contain a second request line.
    """
    if not _METHOD.fullmatch(method):
        raise _refused("method", "Use a method like GET or POST.")
    return method


def service_url(text: str) -> httpx.URL:
    """Check the URL of the service's private listener.

    Raises:
        UsageError: it is not an http or https URL, or has credentials, a query or a fragment.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError):
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise UsageError(
            "The URL of the client is not an http or https URL.",
            remedy="Give an absolute URL, like http://127.0.0.1:8001.",
        )
    if url.userinfo or "?" in text or "#" in text:
        raise UsageError(
            "The URL of the client has credentials, a query or a fragment.",
            remedy="Give the URL without them.",
        )
    return url


def demand_intended(request: httpx.Request, service: httpx.URL, path: str) -> None:
    """Check that the built URL is the intended one.

    Raises:
        CallRefused: the HTTP library has changed the URL.
    """
    built = request.url
    expected = service.raw_path.rstrip(b"/") + path.encode("ascii", "replace")
    same_place = (built.scheme, built.host, built.port) == (
        service.scheme,
        service.host,
        service.port,
    )
    if not same_place or built.raw_path.partition(b"?")[0] != expected:
        raise _refused("path", "Check the path: the HTTP library would send it to another URL.")


def _refused(part: str, remedy: str) -> CallRefused:
    # The message omits the value, which may be long or contain control characters.
    return CallRefused(f"The {part} of this call is not valid.", remedy=remedy)
