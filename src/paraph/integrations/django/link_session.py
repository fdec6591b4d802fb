"""The nonce and the opened claims of one account, in a Django session.

They are sealed. With the `signed_cookies` engine the person at the browser can read a session, and
other engines write it into a table or a cache. They prove that this session began a flow, so only
paraph reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.crypto import get_random_string

from paraph.encoding import decode_base64url, encode_base64url
from paraph.errors import StorageError
from paraph.sealing.key_ring import KeyRing

SESSION_KEY = "paraph"
MOST_CLAIMS = 5
_USE = "django session"


class LinkSession:
    """The part of a session that belongs to the linking of one account.

    Args:
        session: Django's.
        subject: the signed-in account; what another account left in the session is dropped.
        ring: the encryption keys of the service.
    """

    def __init__(self, session: Any, subject: str, ring: KeyRing) -> None:
        self._session = session
        self._ring = ring
        self._subject = subject.encode()
        self._kept = self._opened() or {"nonce": get_random_string(43), "claims": {}}

    @property
    def nonce(self) -> str:
        """The secret that proves this session; its flows in several tabs share it."""
        nonce: str = self._kept["nonce"]
        return nonce

    def claim(self, key: str) -> dict[str, Any] | None:
        """Return an opened claim, until it expires."""
        found: dict[str, Any] | None = self._kept["claims"].get(key)
        return found if found and found["expires_at"] > timezone.now().timestamp() else None

    def keep(self, key: str, claim: Mapping[str, Any]) -> None:
        """Keep an opened claim; the oldest ones make room."""
        claims = {**self._kept["claims"], key: dict(claim)}
        self._kept["claims"] = dict(list(claims.items())[-MOST_CLAIMS:])
        self.save()

    def save(self) -> None:
        """Write the changes into the session."""
        text = json.dumps(self._kept).encode()
        sealed = self._ring.seal(_USE, text, associated_data=self._subject)
        self._session[SESSION_KEY] = encode_base64url(sealed)

    def _opened(self) -> dict[str, Any] | None:
        """Return what this account has kept; None if nothing here opens for it."""
        try:
            sealed = decode_base64url(str(self._session.get(SESSION_KEY, "")))
            text = self._ring.open(_USE, sealed, associated_data=self._subject)
        except (StorageError, ValueError):
            return None
        kept: dict[str, Any] = json.loads(text)
        return kept
