"""Sealed cookies: a browser keeps a value that only this service can read or make.

Each hour has a key of its own, named by the time at which the cookie was issued. A caller checks
that time before it opens a cookie, so that no key is derived for an invented hour.

`installs.pending_authorization.open_pending` opens the cookie of a flow; `admin.session` opens
the one of an operator.
"""

from __future__ import annotations

from paraph.encoding import decode_base64url, encode_base64url
from paraph.sealing.key_ring import KeyRing

_HOUR = 3600


def seal_cookie(
    ring: KeyRing, use: str, plaintext: bytes, *, issued_at: int, associated_data: bytes
) -> str:
    """Seal the value of a cookie.

    Args:
        ring: the encryption keys.
        use: the kind of the cookie, part of the derived key's label.
        plaintext: the content.
        issued_at: epoch seconds; the hour's key seals it.
        associated_data: authenticated with the content.
    """
    sealed = ring.seal(f"{use}/{issued_at // _HOUR}", plaintext, associated_data=associated_data)
    return encode_base64url(sealed)


def open_cookie(
    ring: KeyRing, use: str, value: str, *, issued_at: int, associated_data: bytes
) -> bytes:
    """Open the value of a cookie; the arguments are those of `seal_cookie`.

    Raises:
        ValueError: it is not base64url.
        UnknownEncryptionKey, SealBroken: it was not sealed here, for this use and hour.
    """
    return ring.open(
        f"{use}/{issued_at // _HOUR}", decode_base64url(value), associated_data=associated_data
    )
