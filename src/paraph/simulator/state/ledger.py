"""The authorization codes, tokens and grants that the simulated Zoom has issued.

They are in memory. Only the newest 10 000 codes, spent refresh tokens and tokens of apps are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from paraph.simulator.state.access_token import Tokens, random_text
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.clock import Clock
from paraph.simulator.state.world import App, User

CODE_SECONDS = 300
ACCESS_SECONDS = 3600
REFRESH_SECONDS = 90 * 86400
MAX_KEPT = 10_000

Death = Literal["rotated", "superseded", "removed"]
Value = TypeVar("Value")


@dataclass(slots=True)
class Code:
    """An authorization code with its bindings.

    Attributes:
        issued_at: epoch seconds of the simulated clock.
        in_client: whether Zoom's client fetched it for a Zoom App.
    """

    client_id: str
    user_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str
    method: str
    issued_at: float
    in_client: bool = False
    used: bool = False


@dataclass(slots=True)
class Grant:
    """The live token set of one user and app. Times are epoch seconds of the simulated clock."""

    client_id: str
    user_id: str
    account_id: str
    scopes: tuple[str, ...]
    access_token: str
    refresh_token: str
    generation: int
    issued_at: float
    refreshed_at: float


@dataclass(frozen=True, slots=True)
class Bearer:
    """The owner and scopes of an access token; `user_id` is "" for a token of the app's own."""

    client_id: str
    user_id: str
    account_id: str
    scopes: tuple[str, ...]
    issued_at: float


@dataclass(frozen=True, slots=True)
class SpentToken:
    """A refresh token that no longer works: its owner, and the reason."""

    client_id: str
    user_id: str
    death: Death


class Ledger:
    """Codes and grants, in memory.

    Args:
        clock: for lifetimes.
        random_bytes: for codes and tokens.
    """

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._tokens = Tokens(
            clock.wall, random_bytes, lifetime=ACCESS_SECONDS, refresh_lifetime=REFRESH_SECONDS
        )
        self.codes: OrderedDict[str, Code] = OrderedDict()
        self.grants: dict[tuple[str, str], Grant] = {}
        self._generations: dict[tuple[str, str], int] = {}
        self._access: dict[str, Bearer] = {}
        self._access_of: dict[tuple[str, str], list[str]] = {}
        self._refresh: dict[str, tuple[str, str]] = {}
        self._app_tokens: OrderedDict[str, Bearer] = OrderedDict()
        self._spent: OrderedDict[str, SpentToken] = OrderedDict()
        self._owners: OrderedDict[str, tuple[str, str]] = OrderedDict()

    @behaviour(
        "authorization code",
        "33 characters of A-Z a-z 0-9 - _",
        "seen",
        source="five published samples, 2020 to 2024",
    )
    def issue_code(self, code: Code) -> str:
        """Issue a new code."""
        value = self.random_text(33)
        _store(self.codes, value, code)
        return value

    @behaviour(
        "authorization code", "works once, for five minutes", "documented", source="error 4733"
    )
    def find_code(self, value: str) -> Code | None:
        """Return a live code: known, unused, younger than five minutes."""
        code = self.codes.get(value)
        if code is None or code.used or self._clock.now() - code.issued_at > CODE_SECONDS:
            return None
        return code

    @behaviour(
        "one live token set",
        "authorizing again kills the older tokens of this user and app",
        "documented",
        source="error 4741",
    )
    def authorize(
        self,
        app: App,
        user: User,
        scopes: tuple[str, ...],
        *,
        claims: Mapping[str, Any] | None = None,
        keep_older: bool = False,
    ) -> Grant:
        """Make a new grant; it ends the older one of this user and app.

        Args:
            app: the app that gets the grant.
            user: the user who has consented.
            scopes: the granted scopes.
            claims: values that a fault puts into the access token.
            keep_older: leave the older tokens alive, as a fault asks for.
        """
        key = (app.client_id, user.id)
        older = self.grants.get(key)
        if older is not None and not keep_older:
            self._end(older, "superseded")
        generation = self._generations.get(key, 0) + 1
        self._generations[key] = generation
        now = self._clock.now()
        grant = Grant(
            client_id=app.client_id,
            user_id=user.id,
            account_id=user.account_id,
            scopes=scopes,
            access_token=self._tokens.access(app, user.id, user.account_id, claims or {}),
            refresh_token=self._tokens.refresh(app, user.id, user.account_id),
            generation=generation,
            issued_at=now,
            refreshed_at=now,
        )
        self.grants[key] = grant
        self._index(grant)
        return grant

    @behaviour(
        "refresh",
        "each refresh brings a new refresh token, and the older one is spent",
        "documented",
        source="Zoom's OAuth documentation: the latest refresh token must always be used",
    )
    @behaviour("refresh", "the older access token dies with a refresh", "unknown")
    def rotate(
        self,
        app: App,
        grant: Grant,
        *,
        claims: Mapping[str, Any] | None = None,
        keep_access_token: bool = False,
        keep_refresh_token: bool = False,
    ) -> Grant:
        """Issue the next token set of a grant.

        Args:
            app: the app of the grant.
            grant: the grant; it is changed in place.
            claims: values that a fault puts into the access token.
            keep_access_token: leave the older access token alive, as a fault asks for.
            keep_refresh_token: do not rotate the refresh token, as a fault asks for.
        """
        if not keep_access_token:
            self._end_access_tokens((grant.client_id, grant.user_id))
        if not keep_refresh_token:
            self._spend(grant, "rotated")
            grant.refresh_token = self._tokens.refresh(app, grant.user_id, grant.account_id)
        grant.access_token = self._tokens.access(app, grant.user_id, grant.account_id, claims or {})
        grant.refreshed_at = self._clock.now()
        self._index(grant)
        return grant

    def remove(self, client_id: str, user_id: str) -> Grant | None:
        """End a grant and its tokens; return it, or None if there is no such grant."""
        grant = self.grants.get((client_id, user_id))
        if grant is not None:
            self._end(grant, "removed")
        return grant

    def move(self, user_id: str, account_id: str, *, keep_tokens: bool) -> None:
        """Move a user's grants to another account, or end them.

        Args:
            user_id: the user.
            account_id: the new account.
            keep_tokens: whether the tokens stay alive; they then belong to the new account.
        """
        for grant in [one for one in self.grants.values() if one.user_id == user_id]:
            if not keep_tokens:
                self._end(grant, "removed")
                continue
            grant.account_id = account_id
            for token in self._access_of.get((grant.client_id, user_id), []):
                self._access[token] = replace(self._access[token], account_id=account_id)

    @behaviour(
        "REST API", "an access token lives an hour", "documented", source="expires_in of responses"
    )
    def by_access_token(self, token: str) -> tuple[Bearer | None, str]:
        """Return the owner of a live access token and "", or None and "expired" or "invalid"."""
        bearer = self._access.get(token) or self._app_tokens.get(token)
        if bearer is None:
            return None, "invalid"
        if self._clock.now() - bearer.issued_at > ACCESS_SECONDS:
            return None, "expired"
        return bearer, ""

    def expire_access_tokens(self, client_id: str, user_id: str) -> int:
        """Let the access tokens of a user and app expire now; return their number."""
        tokens = self._access_of.get((client_id, user_id), [])
        for token in tokens:
            expired = self._clock.now() - ACCESS_SECONDS - 1
            self._access[token] = replace(self._access[token], issued_at=expired)
        return len(tokens)

    @behaviour(
        "refresh",
        "a refresh token lives 90 days from its issue",
        "documented",
        source="Zoom's OAuth documentation; it was 15 years before",
    )
    def by_refresh_token(self, token: str) -> Grant | None:
        """Return the grant of a live refresh token."""
        grant = self.grants.get(self._refresh.get(token, ("", "")))
        if grant is None or self._clock.now() - grant.refreshed_at > REFRESH_SECONDS:
            return None
        return grant

    def spent(self, token: str) -> SpentToken | None:
        """Return the owner of a spent refresh token and the reason; None for other tokens."""
        return self._spent.get(token)

    def owner_of(self, value: str) -> tuple[str, str] | None:
        """Return client id and user id of a code or token, also of one that no longer works.

        Args:
            value: an authorization code, an access token or a refresh token.
        """
        code, spent = self.codes.get(value), self._spent.get(value)
        if code is not None:
            return code.client_id, code.user_id
        if spent is not None:
            return spent.client_id, spent.user_id
        return self._owners.get(value) or self._refresh.get(value)

    def known_grants(self) -> list[tuple[str, str]]:
        """Return client id and user id of every grant that ever was, the oldest first."""
        return list(self._generations)

    def issue_app_token(self, app: App, scopes: tuple[str, ...]) -> str:
        """Issue an access token of the app's own, for the grants without a user."""
        token = self._tokens.access(app, "", app.account_id, {})
        bearer = Bearer(app.client_id, "", app.account_id, scopes, self._clock.now())
        _store(self._app_tokens, token, bearer)
        return token

    def end_app_token(self, token: str) -> None:
        """End an access token of the app's own."""
        self._app_tokens.pop(token, None)

    def clear(self) -> None:
        """Delete everything."""
        self.codes.clear()
        self.grants.clear()
        self._generations.clear()
        self._access.clear()
        self._access_of.clear()
        self._refresh.clear()
        self._app_tokens.clear()
        self._spent.clear()
        self._owners.clear()

    def random_text(self, length: int) -> str:
        """Return random characters of Zoom's alphabet for codes and ids."""
        return random_text(self._random_bytes, length)

    def _index(self, grant: Grant) -> None:
        key = (grant.client_id, grant.user_id)
        self._refresh[grant.refresh_token] = key
        _store(self._owners, grant.access_token, key)
        self._access_of.setdefault(key, []).append(grant.access_token)
        self._access[grant.access_token] = Bearer(
            grant.client_id, grant.user_id, grant.account_id, grant.scopes, grant.refreshed_at
        )

    def _end(self, grant: Grant, death: Death) -> None:
        key = (grant.client_id, grant.user_id)
        self.grants.pop(key, None)
        self._end_access_tokens(key)
        self._spend(grant, death)

    def _end_access_tokens(self, key: tuple[str, str]) -> None:
        for token in self._access_of.pop(key, []):
            self._access.pop(token, None)

    def _spend(self, grant: Grant, death: Death) -> None:
        self._refresh.pop(grant.refresh_token, None)
        spent = SpentToken(grant.client_id, grant.user_id, death)
        _store(self._spent, grant.refresh_token, spent)


def _store(store: OrderedDict[str, Value], key: str, value: Value) -> None:
    store[key] = value
    while len(store) > MAX_KEPT:
        store.popitem(last=False)
