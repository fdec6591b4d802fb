"""Proof Key for Code Exchange, S256 only (RFC 7636)."""

from __future__ import annotations

import hashlib
import hmac
import re

from paraph.encoding import encode_base64url
from paraph.errors import StateMismatch, UsageError
from paraph.secret import Secret

CODE_CHALLENGE_METHOD = "S256"

# RFC 7636 section 4.1: 43 to 128 unreserved characters.
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def code_challenge_of(code_verifier: Secret) -> str:
    """Compute BASE64URL(SHA256(ASCII(code_verifier))) unpadded (RFC 7636 section 4.2).

    Raises:
        UsageError: the verifier does not have the form of section 4.1.
    """
    verifier = code_verifier.reveal()
    if not VERIFIER.fullmatch(verifier):
        raise UsageError("a code verifier is 43 to 128 unreserved characters")
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return encode_base64url(digest)


def verify_challenge(verifier: str, challenge: str) -> None:
    """Check that a challenge is the S256 of a verifier (RFC 7636 section 4.6).

    Raises:
        StateMismatch: it is not, or one of them has the wrong form.
    """
    if not (VERIFIER.fullmatch(verifier) and CHALLENGE.fullmatch(challenge)):
        raise StateMismatch("the verifier or the challenge has the wrong form")
    computed = code_challenge_of(Secret(verifier))
    if not hmac.compare_digest(computed.encode("ascii"), challenge.encode("ascii")):
        raise StateMismatch("the verifier does not match the challenge")
