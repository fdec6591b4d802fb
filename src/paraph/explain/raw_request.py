"""Reads raw HTTP/1.1 text, with line ends of either kind, with and without Content-Length."""

from __future__ import annotations

import re

from paraph.errors import UsageError
from paraph.explain.capture import REMEDY, CapturedRequest, Headers, request

_REQUEST_LINE = re.compile(rb"([!-~]+) ([!-~]\S*) HTTP/[0-9.]+")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LEADING_BLANKS = re.compile(rb"\A(?:[ \t]*\r?\n)+")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[^\r\n]*)?\r?\n")


def read_raw_request(content: bytes) -> CapturedRequest:
    """Read a request with its request line, headers, an empty line and the body.

    Raises:
        UsageError: there is no request line, or a header line has no colon.
    """
    head, body = _split_head(_LEADING_BLANKS.sub(b"", content))
    lines = _lines(head)
    if line := _REQUEST_LINE.fullmatch(lines[0]):
        method, target = line.groups()
        del lines[0]
    else:
        method, target = _pseudo_headers(lines)
    headers = _headers(lines)
    body, notes, is_exact = _body_of(headers, body)
    return request(
        method.decode("latin-1"), target, headers, body, notes=notes, has_exact_body=is_exact
    )


def _pseudo_headers(lines: list[bytes]) -> tuple[bytes, bytes]:
    """Return method and target of an HTTP/2 request, which has no request line."""
    found = {
        name: value.strip()
        for name, colon, value in (line[1:].partition(b":") for line in lines if line[:1] == b":")
        if colon
    }
    if not {b"method", b"path"} <= found.keys():
        raise UsageError("the first line is not an HTTP request line", remedy=REMEDY)
    return found[b"method"], found[b"path"]


def read_head(content: bytes) -> CapturedRequest:
    """Read headers alone; without a request line above them the request is a POST.

    Raises:
        UsageError: a line has no colon, or there is no header.
    """
    lines = _lines(_split_head(_LEADING_BLANKS.sub(b"", content))[0])
    line = _REQUEST_LINE.fullmatch(lines[0])
    headers = _headers(lines if line is None else lines[1:])
    if not headers:
        raise UsageError("the file has no headers", remedy=REMEDY)
    method, target = (b"POST", b"/") if line is None else line.groups()
    return request(method.decode("latin-1"), target, headers, b"")


def _split_head(content: bytes) -> tuple[bytes, bytes]:
    # The earliest empty line ends the head, with either kind of line end.
    found = re.search(rb"\r?\n[ \t]*\r?\n", content)
    if found is None:
        return content.rstrip(b"\r\n"), b""
    return content[: found.start()], content[found.end() :]


def _lines(head: bytes) -> list[bytes]:
    return head.replace(b"\r\n", b"\n").split(b"\n")


def _headers(lines: list[bytes]) -> Headers:
    headers: Headers = []
    for line in lines:
        if line.startswith(b":"):
            # A pseudo-header of HTTP/2, as browsers copy it.
            continue
        if line.lstrip()[:1] in {b"{", b"["}:
            raise UsageError("an empty line is missing between headers and body", remedy=REMEDY)
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name.strip()):
            raise UsageError("a header line has no name and colon", remedy=REMEDY)
        headers.append((name.strip().lower(), value.strip(b" \t")))
    return headers


def _body_of(headers: Headers, body: bytes) -> tuple[bytes, list[str], bool]:
    """Return the body, notes, and whether its end is known."""
    encodings = [value for name, value in headers if name == b"transfer-encoding"]
    if any(b"chunked" in one.lower() for one in encodings):
        whole = _without_chunks(body)
        if whole is None:
            return body, ["Transfer-Encoding is chunked, but the body is not in chunks."], False
        return whole, [], True
    declared = next((value for name, value in headers if name == b"content-length"), b"")
    # Seven digits exceed any body here.
    if not declared.isdigit() or len(declared) > 7:
        return body, [], False
    length, notes = int(declared), []
    if length > len(body):
        notes.append(
            f"Content-Length is {length} and the body has {len(body)} bytes: the capture was cut."
        )
    elif body[length:].strip(b"\r\n"):
        notes.append(f"{len(body) - length} bytes behind the body are ignored.")
    # Editors add a line end to a file that was not sent.
    return body[:length], notes, True


def _without_chunks(body: bytes) -> bytes | None:
    """Return the body in chunks (RFC 9112 section 7.1); None if they are incomplete."""
    whole, place = bytearray(), 0
    while found := _CHUNK.match(body, place):
        size = int(found[1], 16)
        if not size:
            return bytes(whole)
        chunk = body[found.end() : found.end() + size]
        if len(chunk) < size:
            return None
        whole += chunk
        place = found.end() + size
        place += 2 if body[place : place + 2] == b"\r\n" else 1
    return None
