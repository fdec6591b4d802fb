"""The nonce of a link request: it stays in the user's session, only its challenge is sent."""

from __future__ import annotations

import base64
import hashlib


def challenge_of(nonce: str) -> str:
    """Compute the S256 challenge of a nonce (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(nonce.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
