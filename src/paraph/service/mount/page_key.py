"""A browser's own key, in a sealed cookie, from which the secrets of a flow are derived.

The nonce of a link request, the code of its claim and the token of its form are keyed hashes of the
subject and the flow. So the pages store nothing, any number of tabs share one cookie, and a reload
finds its claim again. Another browser, or another signed-in user, derives other values.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from paraph.cookies import SetCookie, cookie_prefix, host_cookie
from paraph.encoding import encode_base64url, with_lengths
from paraph.errors import StorageError
from paraph.lifecycle.context import Context
from paraph.sealing.cookie import open_cookie, seal_cookie
from paraph.secret import Secret

# A link request, a flow and a claim live ten minutes each.
LIFETIME_SECONDS = 2100
_CLOCK_TOLERANCE = 60
_KEY_BYTES = 32
_USE = "page key"
_VALUE = re.compile(r"([0-9]{10})\.([A-Za-z0-9_-]{64,512})")


@dataclass(frozen=True, slots=True)
class PageKey:
    """The key of one browser; it never leaves the sealed cookie."""

    key: bytes = field(repr=False)

    def nonce(self, subject: str, flow: str) -> str:
        """Return the nonce of a link request: only this browser can open its handoff."""
        return self._derive("nonce", subject, flow)

    def claim(self, subject: str, flow: str) -> Secret:
        """Return the code of a flow's claim."""
        return Secret(self._derive("claim", subject, flow))

    def form_token(self, subject: str, flow: str, shown: Sequence[str]) -> str:
        """Return the CSRF token of a page that shows these accounts (ASVS 3.5.1)."""
        return self._derive("form", subject, flow, *shown)

    def _derive(self, *parts: str) -> str:
        return encode_base64url(hmac.digest(self.key, with_lengths(parts), hashlib.sha256))


class PageKeys:
    """Finds the key of a browser, or gives it one."""

    def __init__(self, context: Context) -> None:
        self._context = context
        client = context.client
        self._cookie = f"{cookie_prefix(client.client_id, client.redirect_uri)}pages"
        self._place = f"{_USE}\n{client.client_id}\n{client.redirect_uri}"

    def find(self, cookies: Sequence[tuple[str, str]]) -> PageKey | None:
        """Return the key of a browser; None without exactly one live cookie of these pages."""
        values = [value for name, value in cookies if name == self._cookie]
        match = _VALUE.fullmatch(values[0]) if len(values) == 1 else None
        if match is None:
            return None
        issued_at = int(match[1])
        # Check the lifetime first, so that no key is derived for an invented hour.
        if not -_CLOCK_TOLERANCE <= self._context.now() - issued_at < LIFETIME_SECONDS:
            return None
        try:
            return PageKey(
                open_cookie(
                    self._context.ring,
                    _USE,
                    match[2],
                    issued_at=issued_at,
                    associated_data=self._associated_data(issued_at),
                )
            )
        except (StorageError, ValueError):
            return None

    def new(self) -> PageKey:
        """Make a key for a browser without one."""
        return PageKey(self._context.random_bytes(_KEY_BYTES))

    def cookie(self, key: PageKey) -> SetCookie:
        """Return the Set-Cookie header that keeps a key from now on."""
        now = self._context.now()
        value = seal_cookie(
            self._context.ring,
            _USE,
            key.key,
            issued_at=now,
            associated_data=self._associated_data(now),
        )
        return host_cookie(self._cookie, f"{now:010d}.{value}", max_age=LIFETIME_SECONDS)

    def _associated_data(self, issued_at: int) -> bytes:
        return f"{self._place}\n{issued_at}".encode()
