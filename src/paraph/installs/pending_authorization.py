"""The sealed cookie: the browser that began an authorization keeps it until the response.

A flood of starts stores nothing here, replicas share only the key ring, and parallel tabs do not
interfere. Each authorization request has a cookie of its own, named by its issue time and the
hash of its state. So a forged or foreign state fails because no cookie has that name: without I/O
or decryption. The sealed content binds the browser, not the name, and only the key can
create it (RFC 9700 sections 2.1 and 4.7.1; ASVS 10.1.2).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from paraph.cookies import OWN_PREFIX, cookie_prefix
from paraph.encoding import encode_base64url
from paraph.errors import AuthorizationExpired, StateMismatch, StorageError, UsageError
from paraph.oauth.authorization_request import (
    LIFETIME_SECONDS,
    AuthorizationRequest,
    authorization_request_url,
    build_authorization_request,
)
from paraph.oauth.authorization_response import CLOCK_TOLERANCE_SECONDS, describe_age
from paraph.oauth.roles import AuthorizationServer, Client
from paraph.sealing.cookie import open_cookie, seal_cookie
from paraph.sealing.key_ring import KeyRing
from paraph.secret import Secret

KEPT_TABS = 5
# All cookies of paraph together, less a quarter of a kilobyte for those without a flow: browsers
# and servers refuse requests with long headers.
MOST_COOKIE_BYTES = 4096 - 256
_NAME = r"([0-9]{10})-([A-Za-z0-9_-]{22})"
_USE = "cookie"
MAX_SUBJECT = 255
_RETURN_TO = re.compile(r"[A-Za-z0-9_.~-]{0,200}")
OUTCOME_SECONDS = 60
"""The seconds for which a finished flow repeats its outcome to the browser with its cookie."""
_KEPT_SECONDS = LIFETIME_SECONDS + OUTCOME_SECONDS


class CookieMismatch(StateMismatch):
    """The browser does not hold the cookie of a state, or holds one that was changed.

    Args:
        reason: `no_cookie`, `other_cookies`, `doubled_cookie` or `forged_cookie`.
        detail: the text of the error.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class LinkWish:
    """The host's link request that began the authorization.

    `request_hash` is missing in cookies of version 0.1, which used the request up at the start.
    """

    subject: str
    challenge: str
    return_to: str
    request_hash: bytes | None = None


def demand_wish_form(subject: str, return_to: str) -> None:
    """Check the form of the host's values, before they are sealed or stored.

    Raises:
        UsageError: one of them does not have its form.
    """
    if type(subject) is not str or type(return_to) is not str:
        raise UsageError("subject and return_to must be texts", remedy="Write str(...) around ids.")
    if not 1 <= len(subject) <= MAX_SUBJECT or not subject.isprintable():
        raise UsageError("subject must be 1 to 255 printable characters")
    if not _RETURN_TO.fullmatch(return_to):
        raise UsageError("return_to must be an identifier (letters, digits, _.~-), not a URL")


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """An authorization request without response yet, as the browser's cookie holds it."""

    request: AuthorizationRequest
    wish: LinkWish | None
    cookie_name: str
    cookie_value: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Start:
    """The start of an authorization: the URL to redirect the browser to, and its cookie."""

    url: str
    cookie_name: str
    cookie_value: str
    dropped_cookies: tuple[str, ...]


class Opener(Protocol):
    """The values that open a cookie. No store is needed."""

    @property
    def ring(self) -> KeyRing:
        """The encryption keys."""

    @property
    def client(self) -> Client:
        """The app's client at Zoom."""

    def now(self) -> int:
        """Return the time in whole epoch seconds."""


class Starter(Opener, Protocol):
    """The values that start an authorization."""

    @property
    def server(self) -> AuthorizationServer:
        """The authorization server."""

    def one_use_code(self) -> Secret:
        """Return 256 random bits as text."""


def begin(context: Starter, *, wish: LinkWish | None, cookies: Sequence[tuple[str, str]]) -> Start:
    """Build an authorization request and the cookie that will recognise its response.

    Args:
        context: the app's client, keys, clock and randomness.
        wish: the link request; None if installations are not linked to a host.
        cookies: the cookies that the browser sent; those beyond the newest five, or beyond 4 kB,
            are deleted.
    """
    now = context.now()
    request = build_authorization_request(
        context.server,
        context.client,
        state=context.one_use_code(),
        code_verifier=context.one_use_code(),
        now=now,
    )
    name = _cookie_name(context.client, request.state, now)
    value = seal_cookie(
        context.ring,
        _USE,
        _content_of(request, wish),
        issued_at=now,
        associated_data=_associated_data(context, name),
    )
    return Start(
        url=authorization_request_url(context.server, request),
        cookie_name=name,
        cookie_value=value,
        dropped_cookies=_surplus(context.client, cookies, _length(name, value)),
    )


def open_pending(
    context: Opener, *, state: Secret, cookies: Sequence[tuple[str, str]]
) -> PendingAuthorization:
    """Find and open the cookie of a returned state.

    Raises:
        CookieMismatch: the browser holds no cookie of that state, one that paraph did not
            seal, or more than one. An attacker may have added the second one.
        AuthorizationExpired: the cookie has expired.
    """
    ours = list(_ours(context.client, cookies))
    # Without any such cookie not even a hash is computed: a flood usually looks like this.
    wanted = _state_hash_text(state) if ours else ""
    found = [(m[0], int(m[1]), value) for m, value in ours if m[2] == wanted]
    if len(found) != 1:
        raise _not_one_cookie(len(found), others=len(ours) - len(found))
    name, issued_at, value = found[0]
    # Outside its lifetime a cookie is not opened: no key is derived for an invented hour.
    # A finished flow may be loaded again for a minute; that time allows nothing else.
    if not -CLOCK_TOLERANCE_SECONDS <= context.now() - issued_at <= _KEPT_SECONDS:
        raise AuthorizationExpired(describe_age(issued_at, context.now()))
    try:
        plaintext = open_cookie(
            context.ring,
            _USE,
            value,
            issued_at=issued_at,
            associated_data=_associated_data(context, name),
        )
        request, wish = _read_content(plaintext, context.client)
    except (StorageError, ValueError, TypeError):
        detail = "the cookie of this flow was changed, or sealed with another key or client"
        raise CookieMismatch("forged_cookie", detail) from None
    return PendingAuthorization(request, wish, name, value)


def _not_one_cookie(found: int, *, others: int) -> CookieMismatch:
    if found:
        return CookieMismatch("doubled_cookie", f"the browser sent {found} cookies of this flow")
    if others:
        detail = f"the state is of another flow; the browser sent cookies of {others}"
        return CookieMismatch("other_cookies", detail)
    return CookieMismatch("no_cookie", "the browser sent no cookie of this flow")


def _content_of(request: AuthorizationRequest, wish: LinkWish | None) -> bytes:
    """Return the content of the cookie; client id and redirect URI are its associated data."""
    content = [
        request.issuer,
        request.state.reveal(),
        request.code_verifier.reveal(),
        request.issued_at,
        None if wish is None else _sealed_wish(wish),
    ]
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def _read_content(plaintext: bytes, client: Client) -> tuple[AuthorizationRequest, LinkWish | None]:
    # Only the key can seal it, so another form comes from another version of this code.
    issuer, state, code_verifier, issued_at, wish = json.loads(plaintext)
    request = AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=client.redirect_uri,
        issuer=issuer,
        state=Secret(state),
        code_verifier=Secret(code_verifier),
        issued_at=issued_at,
    )
    return request, None if wish is None else _opened_wish(*wish)


def _sealed_wish(wish: LinkWish) -> tuple[str, ...]:
    # Version 0.1 wrote three texts and no hash of the link request.
    texts = (wish.subject, wish.challenge, wish.return_to)
    return texts if wish.request_hash is None else (*texts, wish.request_hash.hex())


def _opened_wish(subject: str, challenge: str, return_to: str, request: str = "") -> LinkWish:
    return LinkWish(subject, challenge, return_to, bytes.fromhex(request) if request else None)


def holds_pending(client: Client, cookies: Sequence[tuple[str, str]]) -> bool:
    """Return True if the browser holds a cookie of any flow of a client, by name alone."""
    return any(True for _ in _ours(client, cookies))


def used_state_hash(state: Secret) -> bytes:
    """Return the hash that records a state as used."""
    return hashlib.sha256(state.reveal().encode("ascii", "surrogatepass")).digest()


def _cookie_name(client: Client, state: Secret, issued_at: int) -> str:
    prefix = cookie_prefix(client.client_id, client.redirect_uri)
    return f"{prefix}{issued_at:010d}-{_state_hash_text(state)}"


def _state_hash_text(state: Secret) -> str:
    digest = hashlib.sha256(b"cookie:" + state.reveal().encode("utf-8", "surrogatepass")).digest()
    return encode_base64url(digest[:16])


def _associated_data(context: Opener, name: str) -> bytes:
    return f"{context.client.client_id}\n{context.client.redirect_uri}\n{name}".encode()


@lru_cache(maxsize=64)
def _name_pattern(prefix: str) -> re.Pattern[str]:
    return re.compile(re.escape(prefix) + _NAME)


def _ours(
    client: Client, cookies: Iterable[tuple[str, str]]
) -> Iterable[tuple[re.Match[str], str]]:
    pattern = _name_pattern(cookie_prefix(client.client_id, client.redirect_uri))
    for name, value in cookies:
        match = pattern.fullmatch(name)
        if match:
            yield match, value


def _length(name: str, value: str) -> int:
    """Return the bytes of a cookie in a request, with its separator."""
    return len(name) + len(value) + len("=; ")


def _surplus(client: Client, cookies: Sequence[tuple[str, str]], new: int) -> tuple[str, ...]:
    ours = {match[0]: _length(match[0], value) for match, value in _ours(client, cookies)}
    room = MOST_COOKIE_BYTES - new
    room -= sum(
        _length(name, value)
        for name, value in cookies
        if name.startswith(OWN_PREFIX.decode()) and name not in ours
    )
    kept: set[str] = set()
    # One slot is for the cookie about to be set. Names sort by age: the time has a fixed width.
    for name in sorted(ours, reverse=True)[: KEPT_TABS - 1]:
        room -= ours[name]
        if room < 0:
            break
        kept.add(name)
    return tuple(sorted(set(ours) - kept, reverse=True))
