"""`X-Zoom-App-Context`: the user who opens a Zoom App and the place, stated by Zoom's client.

base64 of: iv length (1 byte), iv, aad length (2, little-endian), aad, length of the cipher text
(4, little-endian), cipher text, tag (16). AES-256-GCM under SHA-256 of the client secret.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from paraph.errors import UsageError
from paraph.simulator.apps.variants import Variants
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.world import App, User

ISSUER = "marketplace.zoom.us"
LIFETIME_MS = 120_000
_ANOTHER = "AnotherSimulatedClient"
_SAMPLE = "zoom/zoomapps-sample-js"

behaviour("Zoom Apps", "a guest's context has no uid", "documented", source="types of the SDK")
behaviour("Zoom Apps", "ts and exp are milliseconds, two minutes apart", "seen", source="DF 67236")
behaviour("Zoom Apps", "URL-safe base64 without padding", "seen", source=_SAMPLE)

PLACES: Mapping[str, Mapping[str, Any]] = {
    "panel": {},
    "meeting": {"attendrole": "host"},
    "webinar": {"attendrole": "panelist"},
    "chat": {"aid": "chat-action", "chid": "channel-1", "msgid": "message-1", "of": "message"},
}
"""The places where an app is opened, with the claims that only this place has."""


@dataclass(slots=True)
class Draft:
    """A draft of a context, which a variant may change.

    Attributes:
        tag_length: the number of bytes of the tag that are sent.
        tag_mask: bits of the first byte of the tag that are changed.
        padded: lengthen the claims until base64 needs padding.
        text: encodes the sealed bytes.
    """

    claims: dict[str, Any]
    secret: str
    iv: bytes
    aad: bytes = b""
    tag_length: int = 16
    tag_mask: int = 0
    padded: bool = False
    text: Callable[[bytes], str] = field(
        default=lambda sealed: base64.urlsafe_b64encode(sealed).decode().rstrip("=")
    )

    def seal(self) -> str:
        """Return the sealed header."""
        sealed = self._sealed()
        while self.padded and len(sealed) % 3 == 0:
            self.claims["act"] += "x"
            sealed = self._sealed()
        return self.text(sealed)

    def _sealed(self) -> bytes:
        return seal(
            self.secret,
            json.dumps(self.claims, separators=(",", ":")).encode(),
            iv=self.iv,
            aad=self.aad,
            tag_length=self.tag_length,
            tag_mask=self.tag_mask,
        )


@behaviour(
    "Zoom Apps",
    "the context's layout, AES-256-GCM under SHA-256 of the client secret",
    "documented",
    source="zoom-apps/zoom-app-context",
)
def seal(
    client_secret: str,
    plain: bytes,
    *,
    iv: bytes,
    aad: bytes = b"",
    tag_length: int = 16,
    tag_mask: int = 0,
) -> bytes:
    """Seal the bytes of a context.

    Args:
        client_secret: the client secret; the key is its SHA-256.
        plain: the claims as JSON.
        iv: the nonce.
        aad: additional authenticated data.
        tag_length: the number of bytes of the tag; fewer than 16 make the context invalid.
        tag_mask: bits to change in the first byte of the tag; not 0 makes the context invalid.
    """
    key = hashlib.sha256(client_secret.encode()).digest()
    sealed = AESGCM(key).encrypt(iv, plain, aad)
    cipher, tag = sealed[:-16], bytearray(sealed[-16:])
    tag[0] ^= tag_mask
    return b"".join(
        (
            bytes([len(iv)]),
            iv,
            struct.pack("<H", len(aad)),
            aad,
            struct.pack("<i", len(cipher)),
            cipher,
            bytes(tag[:tag_length]),
        )
    )


VARIANTS: Variants[Draft] = Variants()


@VARIANTS.register
def _guest(draft: Draft) -> None:
    """A guest: no uid."""
    del draft.claims["uid"]


@VARIANTS.register
def _bad_tag(draft: Draft) -> None:
    """One bit of the tag is wrong."""
    draft.tag_mask = 1


@VARIANTS.register
def _short_tag(draft: Draft) -> None:
    """The tag is cut to four bytes, which careless decoders accept."""
    draft.tag_length = 4


@VARIANTS.register
def _expired(draft: Draft) -> None:
    """Issued three minutes ago, expired one minute ago."""
    draft.claims["ts"] -= 180_000
    draft.claims["exp"] -= 180_000


@VARIANTS.register
def _early(draft: Draft) -> None:
    """Issued an hour from now."""
    draft.claims["ts"] += 3_600_000
    draft.claims["exp"] += 3_600_000


@VARIANTS.register
def _other_audience(draft: Draft) -> None:
    """Issued for another app with the same secret."""
    draft.claims["aud"] = _ANOTHER


@VARIANTS.register
def _other_issuer(draft: Draft) -> None:
    """Issued by another issuer than Zoom's Marketplace."""
    draft.claims["iss"] = "marketplace.example.com"


@VARIANTS.register
def _other_secret(draft: Draft) -> None:
    """Sealed under another client secret."""
    draft.secret = "another-simulated-client-credential"


@VARIANTS.register
def _aad(draft: Draft) -> None:
    """With additional authenticated data; valid."""
    draft.aad = b"simulated"


@VARIANTS.register
def _padded(draft: Draft) -> None:
    """Base64 with its padding; valid. The claims are lengthened to need it."""
    draft.padded = True
    draft.text = lambda sealed: base64.urlsafe_b64encode(sealed).decode()


@VARIANTS.register
def _standard_alphabet(draft: Draft) -> None:
    """Base64 with the standard alphabet, + and /; valid."""
    draft.text = lambda sealed: base64.b64encode(sealed).decode().rstrip("=")


@VARIANTS.register
def _bad_base64(draft: Draft) -> None:
    """A character that is not part of base64, in the middle."""
    inner = draft.text

    def with_mark(sealed: bytes) -> str:
        text = inner(sealed)
        return f"{text[: len(text) // 2]}!{text[len(text) // 2 :]}"

    draft.text = with_mark


@VARIANTS.register
def _truncated(draft: Draft) -> None:
    """The last third is missing."""
    draft.text = lambda sealed: base64.urlsafe_b64encode(sealed[: len(sealed) * 2 // 3]).decode()


@VARIANTS.register
def _oversized(draft: Draft) -> None:
    """Valid, and longer than 2048 characters."""
    draft.claims["act"] = "x" * 2048


def mint(
    app: App,
    user: User,
    *,
    now: float,
    random_bytes: Callable[[int], bytes],
    place: str = "panel",
    act: str = "",
    variant: str = "",
) -> str:
    """Make a context header.

    Args:
        app: the app that is opened.
        user: the user who opens it.
        now: wall time in epoch seconds.
        random_bytes: returns random bytes for the iv and the meeting.
        place: one of PLACES.
        act: the action of a deep link.
        variant: variants of VARIANTS joined with `+`; "" for a valid context.

    Raises:
        UsageError: there is no such place or variant.
    """
    if place not in PLACES:
        raise UsageError(f"place must be one of {', '.join(PLACES)}")
    milliseconds = int(now * 1000)
    claims: dict[str, Any] = {"typ": place, "uid": user.id}
    if place in {"meeting", "webinar"}:
        claims["mid"] = base64.b64encode(random_bytes(16)).decode()
    claims |= {
        "aud": app.client_id,
        "iss": ISSUER,
        "ts": milliseconds,
        "exp": milliseconds + LIFETIME_MS,
        "act": act,
        **PLACES[place],
    }
    draft = Draft(claims, app.client_secret, random_bytes(12))
    VARIANTS.apply(variant, draft)
    return draft.seal()
