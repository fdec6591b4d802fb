"""Finds the cause of a signature mismatch: tries the usual accidents one by one and combined.

Each candidate is the delivery as it would be without the accident. The first candidate whose MAC
matches the signature names the cause. This module accepts no delivery: only `verify_webhook` does.
"""

from __future__ import annotations

import ast
import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote_to_bytes

from paraph.explain.json_forms import other_forms

# Around a header's value: blanks and quotes, and separators of the surrounding list or object.
_BEFORE, _BEHIND = rb"[\s\"'`]{0,9}", rb"[\s\"'`,;]{0,9}"
_HEX = re.compile(_BEFORE + rb"([Vv]0=|sha256=)?" + _BEFORE + rb"([0-9A-Fa-f]{64})" + _BEHIND)
_BASE64 = re.compile(_BEFORE + rb"(v0=)?([A-Za-z0-9+/]{43}=)" + _BEHIND)
_DIGITS = re.compile(_BEFORE + rb"([0-9]{10})([0-9]{3})?(?:\.[0-9]+)?" + _BEHIND)
_IS_BASE64 = re.compile(rb"[A-Za-z0-9+/]{16,}={0,2}\s*")
_LARGEST_LITERAL = 1 << 20
# Invisible characters copied from web pages: zero-width characters and a byte order mark.
_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff"
_MARK = b"\xef\xbb\xbf"


_DEPTHS = ((16 << 10, 3), (128 << 10, 2), (1 << 40, 1))


class Side(Enum):
    """The side that must be fixed before the delivery verifies."""

    CAPTURE = "capture"
    SECRET = "secret"
    SENDER = "sender"


@dataclass(frozen=True, slots=True)
class Cause:
    """One accident that explains a mismatch.

    Attributes:
        body: the bytes that were signed.
        line_end_only: whether an added line end in the capture is the only difference.
    """

    text: str
    sides: frozenset[Side]
    body: bytes
    line_end_only: bool = False


@dataclass(frozen=True, slots=True)
class _Change:
    name: str
    value: bytes
    side: Side
    line_end_only: bool = False


def find_cause(
    signature: bytes, timestamp: bytes, body: bytes, *, secrets: Sequence[str], client_secret: str
) -> Cause | None:
    """Return the simplest accident that explains a signature mismatch; None if none does.

    Args:
        signature: the header as it was captured.
        timestamp: the header as it was captured.
        body: the body as it was captured.
        secrets: the webhook secrets.
        client_secret: the app's client secret, often confused with those; "" if unknown.
    """
    wanted = _wanted(signature)
    if wanted is None:
        return None
    mac, shape = wanted
    bodies = list(_bodies(body))
    keys = list(_keys(secrets, client_secret))
    stamps = list(_stamps(timestamp))
    # Trying every combination on a large body would take minutes.
    most = next(depth for limit, depth in _DEPTHS if len(body) <= limit)
    for depth in range(1, most + 1):
        for key in keys:
            for stamp in stamps:
                for form in _BASES:
                    for one in bodies:
                        changes = [one, key, stamp, form]
                        made = [change for change in changes if change.name]
                        if len(made) != depth and not (depth == 1 and not made):
                            continue
                        signed = form.value % {b"t": stamp.value, b"b": one.value}
                        if hmac.compare_digest(hmac.digest(key.value, signed, "sha256"), mac):
                            return _cause(made, shape, one)
    return None


def _cause(made: Sequence[_Change], shape: Sequence[_Change], body: _Change) -> Cause | None:
    changes = [*made, *shape]
    if not changes:
        return None
    return Cause(
        "; ".join(change.name for change in changes),
        frozenset(change.side for change in changes),
        body.value,
        all(change.line_end_only for change in changes),
    )


def _wanted(signature: bytes) -> tuple[bytes, list[_Change]] | None:
    """Return the MAC in a signature header, and the deviations of its form."""
    if found := _HEX.fullmatch(signature):
        shape = []
        if found[1] not in {b"v0=", b"V0="}:
            shape.append(_Change("the signature lacks v0= in front", b"", Side.SENDER))
        if found[1] == b"V0=" or found[2] != found[2].lower():
            shape.append(_Change("the signature is in upper case", b"", Side.SENDER))
        if not shape and signature != b"v0=" + found[2]:
            shape.append(_Change("the signature has blanks or quotes around it", b"", Side.CAPTURE))
        return bytes.fromhex(found[2].decode()), shape
    if found := _BASE64.fullmatch(signature):
        named = _Change("the signature is base64, and Zoom's is hexadecimal", b"", Side.SENDER)
        return base64.b64decode(found[2]), [named]
    return None


_BASES = (
    _Change("", b"v0:%(t)b:%(b)b", Side.SENDER),
    _Change("v0: is missing in front of the signed text", b"%(t)b:%(b)b", Side.SENDER),
    _Change("the body alone was signed, without v0: and the timestamp", b"%(b)b", Side.SENDER),
    _Change("a dot follows the timestamp in the signed text", b"%(t)b.%(b)b", Side.SENDER),
    _Change("v1: replaces v0: in the signed text", b"v1:%(t)b:%(b)b", Side.SENDER),
)


def _stamps(timestamp: bytes) -> Iterator[_Change]:
    found = _DIGITS.fullmatch(timestamp)
    is_long = found is not None and found[2] is not None
    name = "the timestamp is in milliseconds, in the header and in what was signed"
    yield _Change(name if is_long else "", timestamp, Side.SENDER)
    if found is None:
        return
    if found[2]:
        yield _Change(
            "the timestamp header is in milliseconds, and seconds were signed",
            found[1],
            Side.SENDER,
        )
    else:
        yield _Change(
            "milliseconds were signed, and the timestamp header is in seconds",
            found[1] + b"000",
            Side.SENDER,
        )
    if found[1] != timestamp and not found[2]:
        yield _Change("the timestamp has blanks, quotes or a fraction", found[1], Side.CAPTURE)


def _keys(secrets: Sequence[str], client_secret: str) -> Iterator[_Change]:
    many = len(secrets) > 1
    for place, secret in enumerate(secrets):
        which = f"secret {place + 1} of {len(secrets)}" if many else "the secret"
        for name, value in _spellings(secret):
            text = name.format(which) if name else ""
            yield _Change(text, value.encode("utf-8", "surrogatepass"), Side.SECRET)
        try:
            decoded = base64.b64decode(secret, validate=True)
        except (binascii.Error, ValueError):
            continue
        if decoded:
            yield _Change(f"{which} was decoded from base64 first", decoded, Side.SECRET)
    if client_secret:
        yield _Change(
            "the client secret signed it: it is set at Zoom as the secret token, or the two are "
            "confused",
            client_secret.encode("utf-8", "surrogatepass"),
            Side.SECRET,
        )


def _spellings(secret: str) -> Iterator[tuple[str, str]]:
    yield "", secret
    plain = secret.strip()
    if plain != secret:
        yield "{} without the blank or line end around it signed this", plain
    seen = secret.translate(dict.fromkeys(map(ord, _UNSEEN))).strip()
    if seen != plain:
        yield "{} without its invisible characters signed this", seen
    unquoted = plain.strip("\"'`\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}")
    if unquoted != plain:
        yield "{} without the quotes around it signed this", unquoted
        yield "{} without quotes and blanks signed this", unquoted.strip()
    for name, around in (("double", '"'), ("single", "'")):
        yield f"{{}} with {name} quotes around it signed this", f"{around}{plain}{around}"
    for name, end in (("a line end", "\n"), ("a line end (CRLF)", "\r\n"), ("a blank", " ")):
        yield f"{{}} with {name} behind it signed this", f"{plain}{end}"
    yield "{} with a blank in front signed this", f" {plain}"
    for name, other in (("lower", plain.lower()), ("upper", plain.upper())):
        if other != plain:
            yield f"{{}} in {name} case signed this", other


def _bodies(body: bytes) -> Iterator[_Change]:
    seen = {body}
    yield _Change("", body, Side.CAPTURE)
    for name, value, is_line_end in _body_forms(body):
        if value not in seen:
            seen.add(value)
            yield _Change(name, value, Side.CAPTURE, is_line_end)


def _body_forms(body: bytes) -> Iterator[tuple[str, bytes, bool]]:
    added = "the capture has an added line end after the body: without it the signature verifies"
    for end in (b"\r\n", b"\n"):
        if body.endswith(end):
            yield added, body.removesuffix(end), True
    yield "the capture has added line ends after the body", body.rstrip(b"\r\n"), True
    yield "the capture has added blanks around the body", body.strip(), False
    yield "the body has lost its line end", body + b"\n", False
    yield "the body has lost its line end (CRLF)", body + b"\r\n", False
    yield "the capture has LF line ends where CRLF was sent", _crlf(body), False
    yield "the capture has CRLF line ends where LF was sent", body.replace(b"\r\n", b"\n"), False
    yield "the capture has an added byte order mark", body.removeprefix(_MARK), False
    yield "the body has lost its byte order mark", _MARK + body, False
    yield from ((name, value, False) for name, value in _decodings(body))
    for name, value in other_forms(body):
        why = f"{name} verifies: the capture was reformatted, the delivery was genuine"
        yield why, value, False
    for name, value in _decodings(body):
        for form, formed in other_forms(value):
            yield f"{name}; {form} verifies: the capture was reformatted", formed, False


def _crlf(body: bytes) -> bytes:
    return body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _decodings(body: bytes) -> Iterator[tuple[str, bytes]]:
    for encoding in ("latin-1", "cp1252"):
        try:
            again = body.decode("utf-8").encode(encoding)
            again.decode("utf-8")
        except UnicodeError:
            pass
        else:
            yield f"the body was decoded as {encoding}, and Zoom sends UTF-8", again
        with suppress(UnicodeError):
            yield f"the capture is written in {encoding}", body.decode(encoding).encode("utf-8")
    if b"%7B%22" in body[:16].upper():
        plain = unquote_to_bytes(body.replace(b"+", b"%20"))
        yield "the body is percent-encoded, and Zoom sends plain JSON", plain
    if body.startswith((b"b'", b'b"')) and len(body) <= _LARGEST_LITERAL:
        with suppress(ValueError, SyntaxError):
            printed = ast.literal_eval(body.decode("ascii"))
            yield "the body is Python's printed form of bytes", bytes(printed)
    if _IS_BASE64.fullmatch(body):
        with suppress(binascii.Error):
            yield "the body is base64 of what was sent", base64.b64decode(body.strip())
