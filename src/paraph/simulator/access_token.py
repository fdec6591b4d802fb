"""What Zoom's tokens look like: JWTs that nobody but Zoom can verify, or opaque text."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from paraph.simulator.behaviours import behaviour
from paraph.simulator.world import App


class Tokens:
    """Makes tokens.

    Args:
        wall: epoch seconds of the real world, for the claims.
        random_bytes: for everything that must not be guessed.
        lifetime: seconds that the claims name.
    """

    def __init__(
        self, wall: Callable[[], float], random_bytes: Callable[[int], bytes], *, lifetime: int
    ) -> None:
        self._wall = wall
        self._random_bytes = random_bytes
        self._lifetime = lifetime

    @behaviour(
        "token endpoint",
        "an access token is a JWT with the claims of version 7, signed with a key that no app "
        "has; `token_format` makes it opaque, for apps that read it against advice",
        "seen",
        source="forum threads 7899 and 25064",
    )
    def access(self, app: App, user_id: str, account_id: str, claims: Mapping[str, Any]) -> str:
        """An access token. `claims` replace what would stand there, for faults."""
        if app.token_format == "opaque":
            return self._text(80)
        now = int(self._wall())
        body = {
            "ver": 7,
            "auid": hashlib.sha256(f"{app.client_id}/{user_id}".encode()).hexdigest()[:32],
            "iss": f"zm:cid:{app.client_id}",
            "gno": 0,
            "type": 0,
            "tid": 0,
            "aud": "https://oauth.zoom.us",
            "uid": user_id,
            "aid": account_id,
            "nbf": now,
            "exp": now + self._lifetime,
            "iat": now,
            "tokenType": "access_token",
            "jti": self._text(22),
        }
        return self._signed({**body, **claims})

    def refresh(self) -> str:
        """A refresh token."""
        return self._signed({"ver": 7, "tokenType": "refresh_token", "jti": self._text(22)})

    def _signed(self, claims: Mapping[str, Any]) -> str:
        header = {"alg": "HS512", "v": "2.0", "kid": self._text(12)}
        mac = hashlib.sha512(self._random_bytes(32)).digest()
        return f"{_segment(header)}.{_segment(claims)}.{_base64url(mac)}"

    def _text(self, length: int) -> str:
        return base64.urlsafe_b64encode(self._random_bytes(length)).decode("ascii")[:length]


def _segment(content: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(content, separators=(",", ":")).encode())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
