"""What the simulated Zoom has given out: codes, token sets, grants.

One live token set for each user and app: authorizing again kills the older one (error 4741,
documented). Refresh tokens work once (documented); an access token lives an hour (documented),
a code five minutes (documented).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from paraph.simulator.clock import Clock
from paraph.simulator.world import App, User

CODE_SECONDS = 300
ACCESS_SECONDS = 3600
REFRESH_SECONDS = 90 * 86400
_REMEMBERED = 50_000


@dataclass(slots=True)
class Code:
    """An authorization code and what it is bound to."""

    client_id: str
    user_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str
    method: str
    issued_at: float
    used: bool = False


@dataclass(slots=True)
class Grant:
    """The live token set of one user and app."""

    client_id: str
    user_id: str
    account_id: str
    scopes: tuple[str, ...]
    access_token: str
    refresh_token: str
    generation: int
    issued_at: float
    refreshed_at: float


class Ledger:
    """Codes and grants, in memory.

    Args:
        clock: for lifetimes.
        random_bytes: for codes and tokens.
    """

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self.codes: OrderedDict[str, Code] = OrderedDict()
        self.grants: dict[tuple[str, str], Grant] = {}
        self._generations: dict[tuple[str, str], int] = {}
        self._live: dict[str, tuple[str, str]] = {}
        self._dead_refresh: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def issue_code(self, code: Code) -> str:
        """A new code: 33 characters (seen in every published sample)."""
        value = self.random_text(33)
        self.codes[value] = code
        while len(self.codes) > _REMEMBERED:
            self.codes.popitem(last=False)
        return value

    def find_code(self, value: str) -> Code | None:
        """A live code: known, unused, younger than five minutes."""
        code = self.codes.get(value)
        if code is None or code.used or self._clock.now() - code.issued_at > CODE_SECONDS:
            return None
        return code

    def authorize(self, app: App, user: User, scopes: tuple[str, ...]) -> Grant:
        """A new grant; the older token set of this user and app dies (4741)."""
        key = (app.client_id, user.id)
        self.remove(*key)
        generation = self._generations.get(key, 0) + 1
        self._generations[key] = generation
        now = self._clock.now()
        grant = Grant(
            client_id=app.client_id,
            user_id=user.id,
            account_id=user.account_id,
            scopes=scopes,
            access_token=self._access_token(app, user.id, user.account_id),
            refresh_token=self._jwt_like("r"),
            generation=generation,
            issued_at=now,
            refreshed_at=now,
        )
        self.grants[key] = grant
        self._index(grant)
        return grant

    def rotate(self, app: App, grant: Grant) -> Grant:
        """The next token set of a grant; the old refresh token is spent (documented)."""
        self._bury(grant)
        grant.access_token = self._access_token(app, grant.user_id, grant.account_id)
        grant.refresh_token = self._jwt_like("r")
        grant.refreshed_at = self._clock.now()
        self._index(grant)
        return grant

    def remove(self, client_id: str, user_id: str) -> Grant | None:
        """End a grant: its tokens are dead."""
        grant = self.grants.pop((client_id, user_id), None)
        if grant is not None:
            self._bury(grant)
        return grant

    def by_access_token(self, token: str) -> tuple[Grant | None, str]:
        """The grant of an access token, or why there is none: "expired" or "invalid"."""
        grant = self.grants.get(self._live.get(token, ("", "")))
        if grant is None or grant.access_token != token:
            return None, "invalid"
        if self._clock.now() - grant.refreshed_at > ACCESS_SECONDS:
            return None, "expired"
        return grant, ""

    def by_refresh_token(self, token: str) -> Grant | None:
        """The grant of a live refresh token."""
        grant = self.grants.get(self._live.get(token, ("", "")))
        if grant is None or grant.refresh_token != token:
            return None
        return grant if self._clock.now() - grant.refreshed_at <= REFRESH_SECONDS else None

    def by_spent_refresh_token(self, token: str) -> Grant | None:
        """The live grant that a spent refresh token belonged to, for the fault that takes it."""
        key = self._dead_refresh.get(token)
        return None if key is None else self.grants.get(key)

    def clear(self) -> None:
        """Forget everything."""
        self.codes.clear()
        self.grants.clear()
        self._live.clear()
        self._dead_refresh.clear()

    def random_text(self, length: int) -> str:
        """Characters of Zoom's alphabet for codes and ids."""
        return base64.urlsafe_b64encode(self._random_bytes(length)).decode("ascii")[:length]

    def app_token(self, app: App) -> str:
        """An access token of the app's own, for the grants without a user."""
        return self._access_token(app, "", app.account_id)

    def _index(self, grant: Grant) -> None:
        for token in (grant.access_token, grant.refresh_token):
            self._live[token] = (grant.client_id, grant.user_id)

    def _bury(self, grant: Grant) -> None:
        for token in (grant.access_token, grant.refresh_token):
            self._live.pop(token, None)
        self._dead_refresh[grant.refresh_token] = (grant.client_id, grant.user_id)
        while len(self._dead_refresh) > _REMEMBERED:
            self._dead_refresh.popitem(last=False)

    def _access_token(self, app: App, user_id: str, account_id: str) -> str:
        if app.token_format == "opaque":
            return self.random_text(80)
        # Claims as version 7 names them (seen); the HMAC key is nobody's, as at Zoom.
        now = int(self._clock.wall())
        return self._jwt_like(
            "a",
            ver=7,
            iss=f"zm:cid:{app.client_id}",
            aud="https://oauth.zoom.us",
            uid=user_id,
            aid=account_id,
            nbf=now,
            exp=now + ACCESS_SECONDS,
            iat=now,
            jti=self.random_text(22),
        )

    def _jwt_like(self, kind: str, **claims: object) -> str:
        header: dict[str, object] = {"alg": "HS512", "v": "2.0", "kid": self.random_text(12)}
        body = {**claims, "tokenType": {"a": "access_token", "r": "refresh_token"}[kind]}
        body.setdefault("jti", self.random_text(22))
        signed = f"{_segment(header)}.{_segment(body)}"
        mac = hashlib.sha512(self._random_bytes(32)).digest()
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _segment(content: dict[str, object]) -> str:
    text = json.dumps(content, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def scopes_of(app: App, chosen: tuple[str, ...] | None) -> tuple[str, ...]:
    """What a consent grants: all required scopes, and the optional ones that were ticked.

    `chosen` is None where nobody was asked: then every optional scope is granted.
    """
    optional = [scope for scope in app.optional_scopes if chosen is None or scope in chosen]
    return (*app.scopes, *optional)
