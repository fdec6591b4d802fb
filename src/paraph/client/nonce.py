"""The nonce of a link: it stays in the signed-in user's session, only its challenge leaves."""

from __future__ import annotations

import base64
import hashlib


def challenge_of(nonce: str) -> str:
    """S256 of a session's nonce (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(nonce.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
