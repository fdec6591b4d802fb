"""App contexts: the sealed header of every request that the Zoom client sends to a Home URL.

::

    X-Zoom-App-Context: base64( iv length   1 byte
                                iv
                                aad length  2 bytes, little-endian
                                aad
                                cipher length 4 bytes, little-endian, signed
                                cipher text
                                tag         16 bytes )

AES-256-GCM; the key is SHA-256 of the client secret. It proves that Zoom's client opened this app
for this user a moment ago; the values in a Home URL's query prove nothing.

The sender may have forged every length in it. So each length is checked against the actual bytes,
the parts must fill the header to the last byte, and the tag is exactly sixteen bytes. A decoder
that takes all remaining bytes as the tag lets an attacker cut it to four bytes and then guess it.

Source: developers.zoom.us/docs/zoom-apps/zoom-app-context.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from paraph.errors import (
    AppContextMalformed,
    AppContextRejected,
    ContextExpired,
    DecryptionFailed,
    MessageMalformed,
    PeerError,
)
from paraph.secret import Secret
from paraph.strict_json import parse_json_object
from paraph.zoom.events import parse_identifier
from paraph.zoom.verification_steps import VerificationStep, find_step

ISSUER = "marketplace.zoom.us"

MAX_HEADER_BYTES = 2048
"""Real contexts have 300 to 500 characters; a chat context with every field stays under 1000."""

MAX_CLOCK_SKEW = 300
"""Seconds that `ts` may lie ahead of our clock. `exp` has no tolerance: it is short on purpose."""

_TAG_BYTES = 16
# SP 800-38D section 5.2.1.1 recommends 96 bits. Longer ones are valid; an empty one is forged.
_IV_BYTES = range(12, 17)
_MAX_DEPTH = 8
_MAX_MILLISECONDS = 10**13

_BASE64 = re.compile(rb"([A-Za-z0-9+/_-]+)(={0,2})")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_TYPE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_MEETING_ID = re.compile(r"[\x21-\x7e]{1,256}")

_ISSUER = VerificationStep(
    "issuer",
    "Zoom's Marketplace made the context.",
    AppContextRejected,
    f"iss is not {ISSUER}",
)
_AUDIENCE = VerificationStep(
    "audience",
    "The context was made for this client, not for another app of the same maker.",
    AppContextRejected,
    "aud is not this client id",
)
_ISSUED = VerificationStep(
    "time of issue",
    "The context was made in the past, so both clocks agree.",
    AppContextRejected,
    "ts lies in the future; compare this clock with Zoom's",
)
VERIFICATION_STEPS: tuple[VerificationStep, ...] = (
    VerificationStep(
        "layout",
        "The header is base64 of five parts whose lengths fill it exactly, and claims of the "
        "right types.",
        AppContextMalformed,
    ),
    VerificationStep(
        "decryption",
        "Someone who knows the client secret sealed exactly these bytes.",
        DecryptionFailed,
    ),
    _ISSUER,
    _AUDIENCE,
    _ISSUED,
    VerificationStep(
        "expiry",
        "The context was made a moment ago; it lives two minutes.",
        ContextExpired,
    ),
)


@dataclass(frozen=True, slots=True)
class AppContext:
    """Zoom's statement about the user and the place in which the app was opened.

    Attributes:
        typ: panel, meeting, webinar, chat, or a value that Zoom adds later.
        uid: the Zoom user, None for a guest.
        mid: the meeting, if there is one.
        aud, iss: this client id; Zoom's Marketplace.
        issued_at, expires_at: epoch seconds.
        claims: all claims, including those above; only checked to be JSON.
    """

    typ: str
    uid: str | None = field(repr=False)
    mid: str | None = field(repr=False)
    aud: str
    iss: str
    issued_at: float
    expires_at: float
    claims: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Parts:
    iv: bytes
    aad: bytes
    sealed: bytes  # Cipher text and tag, as AESGCM wants them.


def open_app_context(
    header: bytes,
    *,
    client_secret: Secret,
    client_id: str,
    now: float,
) -> AppContext:
    """Open the app context in an X-Zoom-App-Context header.

    Args:
        header: its value: base64 or base64url, with or without padding, at most 2048 bytes.
        client_secret: of the app that the context is for.
        client_id: the required value of `aud`.
        now: epoch seconds.

    Raises:
        AppContextMalformed: the layout or the type of a claim is wrong.
        DecryptionFailed: the tag does not verify under this client secret.
        AppContextRejected: another issuer or audience, or made in the future.
        ContextExpired: it is genuine but too old.
    """
    parts = _split(_decode(header))
    if not client_secret:
        # The hash of an empty secret is a key that everybody knows.
        raise DecryptionFailed("there is no client secret to open the context with")
    key = hashlib.sha256(client_secret.reveal().encode("utf-8", "surrogatepass")).digest()
    try:
        plain = AESGCM(key).decrypt(parts.iv, parts.sealed, parts.aad)
    except InvalidTag as error:
        raise DecryptionFailed("the tag does not verify under this client secret") from error
    try:
        claims = parse_json_object(plain, max_depth=_MAX_DEPTH)
    except MessageMalformed as error:
        raise AppContextMalformed(
            f"the claims are not a strict JSON object: {error.detail}"
        ) from error
    context = _parse_claims(claims)
    _check_claims(context, client_id=client_id, now=now)
    return context


def step_of(error: PeerError) -> VerificationStep | None:
    """Return the step of `VERIFICATION_STEPS` that refused, or None for a foreign error."""
    return find_step(VERIFICATION_STEPS, error)


def _decode(header: bytes) -> bytes:
    """Decode by RFC 4648 sections 4 and 5; padding may be missing, but must not be wrong."""
    if len(header) > MAX_HEADER_BYTES:
        raise AppContextMalformed(f"the header is longer than {MAX_HEADER_BYTES} bytes")
    match = _BASE64.fullmatch(header)
    if match is None:
        raise AppContextMalformed("the header is not base64 or base64url")
    digits, padding = match[1].translate(_URL_SAFE), match[2]
    missing = -len(digits) % 4
    if padding and len(padding) != missing:
        raise AppContextMalformed("the base64 padding is wrong")
    try:
        return base64.b64decode(digits + b"=" * missing, validate=True)
    except binascii.Error as error:
        raise AppContextMalformed("the base64 text is cut off") from error


def _split(content: bytes) -> _Parts:
    """Split into the five parts; each length is checked before it is used."""
    iv, rest = _take(content, "<B", "iv")
    if len(iv) not in _IV_BYTES:
        raise AppContextMalformed("the iv is not 12 to 16 bytes long")
    aad, rest = _take(rest, "<H", "aad")
    if len(rest) < 4:
        raise AppContextMalformed("the cipher length is missing")
    (length,) = struct.unpack_from("<i", rest)
    # Tested for equality, so that a negative length, a short tag and an extra byte all fail here.
    if length < 1 or len(rest) != 4 + length + _TAG_BYTES:
        raise AppContextMalformed("the cipher length and a tag of 16 bytes do not fill the header")
    return _Parts(iv, aad, rest[4:])


def _take(content: bytes, length_format: str, part: str) -> tuple[bytes, bytes]:
    """Return the part behind its length, and the rest."""
    width = struct.calcsize(length_format)
    if len(content) < width:
        raise AppContextMalformed(f"the {part} length is missing")
    (length,) = struct.unpack_from(length_format, content)
    if len(content) < width + length:
        raise AppContextMalformed(f"the {part} is longer than the header")
    return content[width : width + length], content[width + length :]


def _parse_claims(claims: Mapping[str, Any]) -> AppContext:
    typ, aud, iss = claims.get("typ"), claims.get("aud"), claims.get("iss")
    if not isinstance(typ, str) or not _TYPE.fullmatch(typ):
        raise AppContextMalformed("typ is not a short name")
    if not isinstance(aud, str) or not isinstance(iss, str):
        raise AppContextMalformed("aud and iss are not both strings")
    # Zoom omits a claim or sends it empty; a guest has no uid. A wrong type is not an absent claim.
    uid = _parse_optional(claims, "uid", parse_identifier(claims.get("uid")))
    mid = claims.get("mid")
    matches = isinstance(mid, str) and _MEETING_ID.fullmatch(mid) is not None
    return AppContext(
        typ=typ,
        uid=uid,
        mid=_parse_optional(claims, "mid", mid if matches else None),
        aud=aud,
        iss=iss,
        issued_at=_parse_milliseconds(claims, "ts"),
        expires_at=_parse_milliseconds(claims, "exp"),
        claims=claims,
    )


def _parse_optional(claims: Mapping[str, Any], name: str, parsed: str | None) -> str | None:
    if parsed is None and claims.get(name) not in (None, ""):
        raise AppContextMalformed(f"{name} is not an identifier")
    return parsed


def _parse_milliseconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    # bool is an int in Python, and `true` is not a time.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < _MAX_MILLISECONDS:
        raise AppContextMalformed(f"{name} is not epoch milliseconds")
    return value / 1000


def _check_claims(context: AppContext, *, client_id: str, now: float) -> None:
    if context.iss != ISSUER:
        raise _ISSUER.refuse()
    expected, given = client_id.encode(), context.aud.encode("utf-8", "surrogatepass")
    # A missing claim is a mismatch: an empty client id must not match an empty claim.
    if not client_id or not hmac.compare_digest(expected, given):
        raise _AUDIENCE.refuse()
    if context.issued_at > now + MAX_CLOCK_SKEW:
        raise _ISSUED.refuse()
    if context.expires_at <= now:
        raise ContextExpired(f"the context expired {now - context.expires_at:.0f} s ago")
