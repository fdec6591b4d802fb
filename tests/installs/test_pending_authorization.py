"""The sealed cookie: only the browser that began can finish, and nothing it holds can be bent."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paraph.errors import AuthorizationExpired, PeerError, StateMismatch
from paraph.installs.pending_authorization import (
    KEPT_TABS,
    LinkWish,
    PendingAuthorization,
    begin,
    open_pending,
)
from paraph.lifecycle.context import Context
from paraph.oauth.roles import Client
from paraph.sealing.encryption_key import new_encryption_key
from paraph.sealing.key_ring import KeyRing
from paraph.secret import Secret
from service_kit import running

pytestmark = pytest.mark.anyio

WISH = LinkWish("acct_42", "c" * 43, "invoices")


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[Context]:
    """What a service works with."""
    async with running(tmp_path) as kit:
        yield kit.service.context


def started(context: Context, wish: LinkWish = WISH) -> tuple[Secret, tuple[str, str]]:
    """A state and the cookie that belongs to it."""
    start = begin(context, wish=wish, cookies=())
    state = dict(p.split("=") for p in start.url.partition("?")[2].split("&"))["state"]
    return Secret(state), (start.cookie_name, start.cookie_value)


def opened(context: Context, state: Secret, *cookies: tuple[str, str]) -> PendingAuthorization:
    """The pending authorization of a state among some cookies."""
    return open_pending(context, state=state, cookies=cookies)


async def test_what_was_sealed_comes_back(context: Context) -> None:
    """The browser that began gets its request and the host's wish back, other cookies aside."""
    state, cookie = started(context)
    pending = opened(context, state, ("theme", "dark"), cookie, ("a", "b"))

    assert WISH == pending.wish
    assert state == pending.request.state
    assert context.client.redirect_uri == pending.request.redirect_uri


@pytest.mark.parametrize("request_hash", [None, b"\0\xff" * 16])
async def test_the_link_request_comes_back(context: Context, request_hash: bytes | None) -> None:
    """The link request of a flow is known at its end; a cookie of version 0.1 holds none."""
    wish = replace(WISH, request_hash=request_hash)
    state, cookie = started(context, wish)
    assert wish == opened(context, state, cookie).wish


async def test_nothing_readable_stands_in_the_cookie(context: Context) -> None:
    """State, subject and challenge are sealed; neither text nor base64 shows them."""
    state, (name, value) = started(context)
    plain = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))

    for secret in (state.reveal(), WISH.subject, WISH.challenge):
        assert secret not in name + value
        assert secret.encode() not in plain
    assert len(name) + len(value) < 1_024


async def test_a_state_without_its_cookie_opens_nothing(context: Context) -> None:
    """No cookie, another flow's cookie, or a made-up state: the same refusal."""
    state, _ = started(context)
    _, other = started(context)
    for cookies in ((), (other,)):
        with pytest.raises(StateMismatch):
            opened(context, state, *cookies)
    with pytest.raises(StateMismatch):
        opened(context, Secret("s" * 43), other)


async def test_a_second_cookie_of_the_name_is_no_choice(context: Context) -> None:
    """A tossed-in cookie makes the request ambiguous: refused in either order (ASVS 3.3.3)."""
    state, cookie = started(context)
    tossed = (cookie[0], "attacker")
    for cookies in ((cookie, tossed), (tossed, cookie), (cookie, cookie)):
        with pytest.raises(StateMismatch):
            opened(context, state, *cookies)


async def test_a_cookie_moved_to_another_name_does_not_open(context: Context) -> None:
    """The name is associated data: a value of one flow is worth nothing under another's name."""
    state, (name, _) = started(context)
    _, (_, foreign) = started(context)
    with pytest.raises(StateMismatch):
        opened(context, state, (name, foreign))


async def test_every_bit_counts(context: Context) -> None:
    """A flipped bit anywhere breaks the seal."""
    state, (name, value) = started(context)
    sealed = bytearray(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
    for position in range(len(sealed)):
        sealed[position] ^= 1
        spoilt = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
        sealed[position] ^= 1
        with pytest.raises(StateMismatch):
            opened(context, state, (name, spoilt))


async def test_a_later_issue_time_does_not_prolong_it(context: Context) -> None:
    """The issue time in the name is sealed with the content."""
    state, (name, value) = started(context)
    _, issued_at, rest = name.rsplit("-", 2) if name.count("-") == 3 else ("", "", "")
    prefix = "__Host-paraph-"
    issued_at, rest = name.removeprefix(prefix)[:10], name.removeprefix(prefix)[10:]
    moved = f"{prefix}{int(issued_at) + 30:010d}{rest}"
    with pytest.raises(StateMismatch):
        opened(context, state, (moved, value))


@pytest.mark.parametrize(
    ("after", "fine"), [(0, True), (599, True), (662, False), (-90, True), (-130, False)]
)
async def test_ten_minutes(context: Context, after: int, fine: bool) -> None:  # noqa: FBT001 - A column.
    """Within ten minutes and the minute of its outcome, and not from the future."""
    state, cookie = started(context)
    start = context.now()
    then = replace(context, clock=lambda: start + after)
    if fine:
        opened(then, state, cookie)
    else:
        with pytest.raises(AuthorizationExpired):
            opened(then, state, cookie)


async def test_another_app_or_key_opens_nothing(context: Context) -> None:
    """Client id and redirect URI are associated data, and a foreign ring has another key."""
    state, cookie = started(context)
    client = context.client
    for other in (
        replace(context, client=Client("Other", client.client_secret, client.redirect_uri)),
        replace(
            context, client=Client(client.client_id, client.client_secret, "https://x.example/cb")
        ),
        replace(context, ring=KeyRing.parse([new_encryption_key()])),
    ):
        with pytest.raises(StateMismatch):
            opened(other, state, cookie)


async def test_the_newest_five_tabs_are_kept(context: Context) -> None:
    """A browser is told to drop the oldest beyond five, so that headers stay small."""
    names = [f"__Host-paraph-{1_700_000_000 + n:010d}-{'a' * 22}" for n in range(8)]
    start = begin(context, wish=None, cookies=[(name, "x") for name in names])

    assert KEPT_TABS - 1 == len(set(names) - set(start.dropped_cookies))
    assert set(names[:4]) == set(start.dropped_cookies)


@settings(deadline=None)
@given(name=st.text(max_size=60), value=st.text(max_size=80), state=st.text(max_size=60))
async def test_whatever_a_browser_sends(name: str, value: str, state: str) -> None:
    """Any cookie and any state: a PeerError and nothing else."""
    with pytest.raises(PeerError):
        open_pending(
            _BARE,
            state=Secret(state),
            cookies=[(name, value), (f"__Host-paraph-{1_700_000_000:010d}-{'a' * 22}", value)],
        )


class _Bare:
    """As much of a context as refusing needs."""

    ring = KeyRing.parse([new_encryption_key()])
    client = Client("Client", Secret("x"), "https://app.example/oauth/redirect")

    def now(self) -> int:
        """A fixed time, at which the invented cookie above would be fresh."""
        return 1_700_000_100


_BARE: Context = _Bare()  # type: ignore[assignment]  # Opening reads these three and nothing else.
