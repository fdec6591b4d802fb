"""Proof Key for Code Exchange, S256 only (RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from paraph.errors import StateMismatch, UsageError
from paraph.secret import Secret

CODE_CHALLENGE_METHOD = "S256"

# RFC 7636 section 4.1: 43 to 128 unreserved characters.
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def code_challenge_of(code_verifier: Secret) -> str:
    """BASE64URL(SHA256(ASCII(code_verifier))) without padding (RFC 7636 section 4.2).

    Raises:
        UsageError: the verifier has not the shape of section 4.1.
    """
    verifier = code_verifier.reveal()
    if not VERIFIER.fullmatch(verifier):
        raise UsageError("a code verifier is 43 to 128 unreserved characters")
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def verify_challenge(verifier: str, challenge: str) -> None:
    """Whether S256 of a verifier is the challenge (RFC 7636 section 4.6).

    Raises:
        StateMismatch: it is not, or either has the wrong shape.
    """
    if not (VERIFIER.fullmatch(verifier) and CHALLENGE.fullmatch(challenge)):
        raise StateMismatch("verifier or challenge has the wrong shape")
    computed = code_challenge_of(Secret(verifier))
    if not hmac.compare_digest(computed.encode("ascii"), challenge.encode("ascii")):
        raise StateMismatch("the verifier is not the one behind the challenge")
