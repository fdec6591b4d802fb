"""Request paths: built from segments that are refused or kept byte for byte, then compared.

A caller's id or path may come from the caller's own user. An HTTP library resolves `..`, drops
fragments and follows an absolute URL. So a segment that means anything but itself is refused here.
The URL that the library has made is then compared with the path that was meant (CWE-22).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

import httpx

from paraph.client.problem import Refused

# Ids, claims and the like, as the service makes them.
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
# The service's own rule for a segment of Zoom's path: what is refused there never leaves here.
_ZOOM_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~@+=:,-]|%(?:40|2[BbCc]|3[AaDd]))+")
_DOTS = re.compile(r"\.+")
# A meeting's UUID, in which Zoom demands that a slash is encoded twice.
_TWICE_ENCODED = re.compile(r"(?:[A-Za-z0-9+=]|%(?:2[Bb]|3[Dd])|%25(?:2[BbFf]|3[Dd])){24}")
_UUID = re.compile(rb"[A-Za-z0-9+/]{22}==")
_NAMED_BY_UUID = frozenset({"meetings", "past_meetings", "webinars", "past_webinars"})
_METHOD = re.compile(r"[A-Za-z]{1,16}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_API_PREFIX = "/v2/"
# Set by the client itself: another value would change whose call it is, or how long it is.
_OWN_HEADERS = frozenset(
    {"authorization", "content-length", "cookie", "host", "idempotency-key", "transfer-encoding"}
)


def id_segment(text: str) -> str:
    """One id as one segment of a path.

    Raises:
        Refused: the text is not an id, so it could name something else.
    """
    if not _ID.fullmatch(text):
        raise _refused("id", "An id is 1 to 128 letters, digits, _ or -.")
    return text


def zoom_path(path: str) -> str:
    """A path of Zoom's REST API below `/v2/`, from "/v2/users/me" or "/users/me".

    Raises:
        Refused: a segment is empty, made of dots, or would not arrive as it is written.
    """
    whole = path if path.startswith(_API_PREFIX) else f"/v2{path}"
    segments = whole.removeprefix(_API_PREFIX).split("/")
    for before, segment in zip(["", *segments], segments, strict=False):
        if not _is_plain(segment) and not (before in _NAMED_BY_UUID and _is_uuid(segment)):
            raise _refused(
                "path",
                "A path of Zoom's is segments of letters, digits and ._~@+=:,- without dot "
                "segments; @ + , : = may be percent-encoded. Encode a meeting's UUID with a slash "
                "twice. Give a query as query.",
            )
    if not whole.startswith(_API_PREFIX):
        raise _refused("path", "A path of Zoom's begins with / as in /users/me.")
    return whole


def _is_plain(segment: str) -> bool:
    return bool(_ZOOM_SEGMENT.fullmatch(segment)) and not _DOTS.fullmatch(segment)


def _is_uuid(segment: str) -> bool:
    if not _TWICE_ENCODED.fullmatch(segment):
        return False
    return bool(_UUID.fullmatch(unquote_to_bytes(unquote_to_bytes(segment))))


def http_method(method: str) -> str:
    """A method for a call of Zoom's API.

    Raises:
        Refused: it is not a word, so it could hold a second request line.
    """
    if not _METHOD.fullmatch(method):
        raise _refused("method", "A method is a word like GET or POST.")
    return method


def caller_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of the caller's for a call of Zoom's API.

    Raises:
        Refused: a header is the client's own to set, or could hold a second header.
    """
    for name in headers:
        lowered = name.lower()
        if lowered in _OWN_HEADERS or lowered.startswith("paraph-"):
            raise _refused("header", "Leave authorization, host, cookie and paraph-* headers out.")
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(headers[name]):
            raise _refused("header", "A header is a word, and a line of printable ASCII.")
    return dict(headers)


def service_url(text: str) -> httpx.URL:
    """The URL of the service's private side.

    Raises:
        Refused: it is not an http or https URL, or holds credentials, a query or a fragment.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError):
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise _refused("url", "Give an absolute URL, like http://127.0.0.1:8001.")
    if url.userinfo or "?" in text or "#" in text:
        raise _refused("url", "Give the URL without credentials, query and fragment.")
    return url


def demand_intended(request: httpx.Request, service: httpx.URL, path: str) -> None:
    """Compare the URL that was built with the one that was meant.

    Raises:
        Refused: the HTTP library has made another URL of it.
    """
    built = request.url
    expected = service.raw_path.rstrip(b"/") + path.encode("ascii", "replace")
    same_place = (built.scheme, built.host, built.port) == (
        service.scheme,
        service.host,
        service.port,
    )
    if not same_place or built.raw_path.partition(b"?")[0] != expected:
        raise _refused("path", "The path would have reached another URL than the one meant.")


def _refused(code: str, remedy: str) -> Refused:
    # The value is not repeated: it may be long, or hold control characters.
    title = f"The {code} of this call is not one that the service has."
    return Refused(0, {"code": code, "title": title, "remedy": remedy})
