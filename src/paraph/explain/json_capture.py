"""Captures in JSON: HAR, API Gateway and Lambda, Zoom's webhook log, and similar formats."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from paraph.errors import UsageError
from paraph.explain.capture import REMEDY, CapturedRequest, Fits, Headers, request

_NOT_A_REQUEST = (
    *(AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError),
    binascii.Error,
)
_DEEPEST_STRING = 4
_PARSED = "The capture has the body as parsed JSON, not its bytes: the compact form is checked."


def read_json_capture(content: bytes, *, entry: int | None, fits: Fits) -> CapturedRequest:
    """Read the request in a JSON document.

    Args:
        content: the JSON text.
        entry: the number of an entry, from 1; None for the one that `fits`.
        fits: returns true if a request may be the one to explain.

    Raises:
        UsageError: it is not a capture, or several of its entries match.
    """
    try:
        document = _unwrapped(json.loads(content))
        entries = _entries(document)
        if entry is not None:
            if not 1 <= entry <= len(entries):
                raise UsageError(f"the capture has {len(entries)} entries", remedy=REMEDY)
            return _read(entries[entry - 1])
        if len(entries) == 1:
            # A single entry is read even if it does not fit: the explanation says why.
            return _read(entries[0])
        found = [place for place, one in enumerate(entries, 1) if _fits(one, fits)]
        if len(found) != 1:
            which = "no entry" if not found else "entries " + ", ".join(map(str, found[:9]))
            raise UsageError(
                f"choose one of the {len(entries)} entries in the capture; matching: {which}",
                remedy="Choose one with --entry NUMBER, or give a HAR entry or event alone.",
            )
        return _read(entries[found[0] - 1])
    except _NOT_A_REQUEST:
        raise UsageError("this JSON is not a captured request", remedy=REMEDY) from None


def read_json_headers(content: bytes) -> Headers:
    """Return headers from an object or a list of pairs.

    Raises:
        UsageError: the JSON is neither.
    """
    try:
        return _headers(json.loads(content))
    except _NOT_A_REQUEST:
        raise UsageError("this JSON has no headers", remedy=REMEDY) from None


def _unwrapped(value: Any) -> Any:
    """Parse JSON inside a string, as deeply as logs nest it; return any other value unchanged."""
    for _ in range(_DEEPEST_STRING):
        if not isinstance(value, str) or value.lstrip()[:1] not in {"{", "[", '"'}:
            break
        value = json.loads(value)
    return value


def _entries(document: Any) -> list[Any]:
    if isinstance(document, list):
        return document
    if "log" in document:
        return list(document["log"]["entries"])
    logs = _unwrapped(document.get("webhook_logs"))
    if isinstance(logs, list):
        return logs
    return [document]


def _fits(entry: Any, fits: Fits) -> bool:
    try:
        return fits(_read(entry))
    except (*_NOT_A_REQUEST, UsageError):
        # A recording also has sockets and other entries that are not requests.
        return False


def _read(entry: Any) -> CapturedRequest:
    entry = _unwrapped(entry)
    found = entry.get("request", entry)
    for reader, marks in _READERS:
        if all(any(mark in found for mark in names.split("|")) for names in marks):
            return reader(found)
    raise KeyError


def _from_har(found: Mapping[str, Any]) -> CapturedRequest:
    posted = found.get("postData") or {}
    body, notes = _body(posted.get("text"), is_base64=posted.get("encoding") == "base64")
    return request(
        str(found["method"]),
        str(found["url"]).encode(),
        _headers(found["headers"]),
        body,
        notes=notes,
    )


def _from_gateway(found: Mapping[str, Any]) -> CapturedRequest:
    """Read an event of API Gateway (REST, HTTP), of a load balancer, or of a function URL."""
    http = (found.get("requestContext") or {}).get("http") or {}
    several = found.get("multiValueHeaders") or {}
    named = {str(name).lower() for name in several}
    single = {
        name: value
        for name, value in (found.get("headers") or {}).items()
        if str(name).lower() not in named
    }
    headers = _headers(several) + _headers(single)
    if found.get("cookies"):
        headers.append((b"cookie", "; ".join(map(str, found["cookies"])).encode("latin-1")))
    method = str(found.get("httpMethod") or http.get("method") or "POST")
    path = str(found.get("rawPath") or found.get("path") or http.get("path") or "/")
    query = str(found.get("rawQueryString") or "") or _query_of(found)
    body, notes = _body(found.get("body"), is_base64=found.get("isBase64Encoded") is True)
    target = f"{path}?{query}" if query else path
    return request(method, target.encode(), headers, body, notes=notes)


def _query_of(found: Mapping[str, Any]) -> str:
    from urllib.parse import urlencode

    several = found.get("multiValueQueryStringParameters")
    if several:
        return urlencode({str(k): list(map(str, v)) for k, v in several.items()}, doseq=True)
    single = found.get("queryStringParameters") or {}
    return urlencode({str(name): str(value) for name, value in single.items()})


def _from_zoom_log(found: Mapping[str, Any]) -> CapturedRequest:
    """Read an entry of the webhook log that Zoom's Marketplace and its API show."""
    headers = found["request_headers"]
    parsed = _text_headers(headers) if isinstance(headers, str) else _headers(headers)
    sent = found.get("request_body")
    while isinstance(sent, str) and sent.startswith('"'):
        # A string in a string. No event begins with a quote.
        sent = json.loads(sent)
    body, notes = _body(sent)
    return request("POST", str(found.get("endpoint") or "/").encode(), parsed, body, notes=notes)


def _text_headers(text: str) -> Headers:
    """Return headers from a string: as JSON, or as lines."""
    from paraph.explain.raw_request import read_head

    try:
        return _headers(_unwrapped(json.loads(text)))
    except ValueError:
        return read_head(text.encode("utf-8", "surrogatepass")).headers


def _from_plain_object(found: Mapping[str, Any]) -> CapturedRequest:
    """Read an object that request bins and functions log: headers, a body, perhaps a URL."""
    name = next(one for one in ("rawBody", "body", "content", "data") if one in found)
    body, notes = _body(found[name], is_base64=found.get("isBase64Encoded") is True)
    url = str(found.get("url") or found.get("path") or "/")
    method = str(found.get("method") or "POST")
    return request(method, url.encode(), _headers(found["headers"]), body, notes=notes)


def _from_event(found: Mapping[str, Any]) -> CapturedRequest:
    """Read a body alone; without headers it has no signature."""
    body, _ = _body(dict(found))
    note = "The file has the body of an event and no headers: its sender cannot be verified."
    return request("POST", b"/", [], body, notes=[note])


_READERS: tuple[tuple[Callable[[Mapping[str, Any]], CapturedRequest], tuple[str, ...]], ...] = (
    (_from_zoom_log, ("request_headers", "request_body")),
    (_from_gateway, ("httpMethod|requestContext|rawPath|multiValueHeaders",)),
    (_from_plain_object, ("headers", "rawBody|body|content|data")),
    (_from_har, ("method", "url", "headers")),
    (_from_event, ("event", "payload")),
)


def _body(value: Any, *, is_base64: bool = False) -> tuple[bytes, list[str]]:
    if value is None:
        return b"", []
    if isinstance(value, (dict, list)):
        compact = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return compact.encode("utf-8", "surrogatepass"), [_PARSED]
    if is_base64:
        return base64.b64decode(str(value), validate=True), []
    return str(value).encode("utf-8", "surrogatepass"), []


def _headers(headers: Any) -> Headers:
    return [
        (str(name).lower().encode("latin-1"), str(value).encode("utf-8"))
        for name, value in _pairs(headers)
        if not str(name).startswith(":")
    ]


def _pairs(headers: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(headers, dict):
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    yield name, one
        return
    for one in headers:
        if isinstance(one, dict):
            # HAR has name and value, some recorders key and value.
            yield one["name"] if "name" in one else one["key"], one["value"]
        else:
            name, value = one
            yield name, value
