"""Every way out through a real proxy, to real TLS servers with a private authority."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from outgoing.conftest import OTHER, ZOOM, Authority
from outgoing.doors import DOORS, SECRET, Door, Way, peer
from paraph.client import Client
from paraph.errors import TransportError, UsageError
from paraph.lifecycle.context import Context
from paraph.oauth.messages import Request
from paraph.outgoing.failure import Cause
from paraph.remote.transport import Transport
from ports import reserve_ports
from squid_proxy import DENIED, PASSWORD, Squid

pytestmark = pytest.mark.anyio

every_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


@every_door
async def test_a_request_passes_the_proxy_with_credentials(
    door: Door, context: Context, proxy: Squid, authority: Authority
) -> None:
    """The name is resolved by the proxy, TLS is verified to its end, the proxy sees no request."""
    async with peer(authority.tls(ZOOM)) as server:
        url = f"https://{ZOOM}:{server.port}"
        found = await door(context, url, Way(proxy.url, ca_file=authority.file), 5)
    assert ("", 1) == (found.cause, len(server.lines))
    proxy.await_target(f"200 {ZOOM}:{server.port}")


@every_door
async def test_refusals_of_the_proxy_are_told_apart(
    door: Door, context: Context, proxy: Squid, authority: Authority
) -> None:
    """Wrong credentials, none, a denied destination, one that the proxy cannot reach."""
    closed = reserve_ports(1)[0]
    wrong = f"http://paraph:wrong-{PASSWORD[:1]}@127.0.0.1:{proxy.port}"
    cases = [
        (wrong, f"{ZOOM}:{closed}", Cause.PROXY_CREDENTIALS, "outgoing_proxy"),
        (
            proxy.url_without_credentials,
            f"{ZOOM}:{closed}",
            Cause.PROXY_CREDENTIALS,
            "USER:PASSWORD",
        ),
        (proxy.url, f"{DENIED}:{closed}", Cause.PROXY_REFUSED, "outgoing_proxy_bypass"),
        (proxy.url, f"{ZOOM}:{closed}", Cause.PROXY_FAILED, "log of the proxy"),
    ]
    for url, destination, cause, remedy in cases:
        way = Way(url, ca_file=authority.file)
        found = await door(context, f"https://{destination}", way, 5)
        assert cause == found.cause, (destination, found)
        assert remedy in found.remedy
        assert destination in found.text or cause is Cause.PROXY_CREDENTIALS
        assert not any(secret in found.text for secret in ("p@ss", "p%40ss", "wrong-", SECRET))


@every_door
async def test_a_proxy_that_is_away_is_named(door: Door, context: Context) -> None:
    """A proxy that refuses connections, and one whose name cannot be resolved."""
    closed = reserve_ports(1)[0]
    for address, cause in (
        (f"127.0.0.1:{closed}", Cause.PROXY_UNREACHABLE),
        ("proxy.invalid:3128", Cause.PROXY_NOT_RESOLVED),
    ):
        way = Way(
            f"http://u:{PASSWORD[4:]}@{address}".replace("/", "%2F").replace(
                "http:%2F%2F", "http://"
            )
        )
        found = await door(context, "https://zoom.example", way, 5)
        assert cause == found.cause
        assert f"http://{address}" in found.text
        assert PASSWORD[4:] not in found.text


@every_door
async def test_certificates_behind_the_proxy_are_verified(
    door: Door, context: Context, proxy: Squid, authority: Authority
) -> None:
    """An unknown authority, another name and a certificate that has expired get no request."""
    for name, days, trusted, cause in (
        (ZOOM, 1, False, Cause.CERTIFICATE_UNTRUSTED),
        (OTHER, 1, True, Cause.CERTIFICATE_WRONG_NAME),
        (ZOOM, -1, True, Cause.CERTIFICATE_EXPIRED),
    ):
        async with peer(authority.tls(name, days=days)) as server:
            way = Way(proxy.url, ca_file=authority.file if trusted else "")
            found = await door(context, f"https://{ZOOM}:{server.port}", way, 5)
        assert (cause, []) == (found.cause, server.lines)
    assert "ca_file" in (await _untrusted(door, context, proxy, authority))


async def _untrusted(door: Door, context: Context, proxy: Squid, authority: Authority) -> str:
    async with peer(authority.tls(ZOOM)) as server:
        found = await door(context, f"https://{ZOOM}:{server.port}", Way(proxy.url), 5)
    return found.remedy


@pytest.mark.parametrize("name", ["zoom", "host"])
async def test_loopback_and_the_bypass_list_are_direct(
    name: str, context: Context, authority: Authority
) -> None:
    """No proxy is asked for loopback addresses, nor for the hosts of the list: it is away."""
    away = f"http://127.0.0.1:{reserve_ports(1)[0]}"
    for host in ("localhost", "127.0.0.1"):
        async with peer(authority.tls(host)) as server:
            way = Way(away, ca_file=authority.file)
            assert "" == (await DOORS[name](context, f"https://{host}:{server.port}", way, 5)).cause
    url = f"https://{ZOOM}:9"
    assert Cause.NAME_NOT_RESOLVED == (
        (await DOORS[name](context, url, Way(away, bypass=(".example",)), 5)).cause
    )
    assert Cause.PROXY_UNREACHABLE == (await DOORS[name](context, url, Way(away), 5)).cause


async def test_hosts_stay_fixed_behind_the_proxy(proxy: Squid, authority: Authority) -> None:
    """No other host and no redirect is followed because a proxy stands in between."""
    before = len(proxy.targets())
    moved = b"HTTP/1.1 302 X\r\nlocation: https://other.example/\r\ncontent-length: 0\r\n\r\n"
    async with peer(authority.tls(ZOOM), answer=moved) as server:
        url = f"https://{ZOOM}:{server.port}"
        transport = Transport({url}, route=Way(proxy.url, ca_file=authority.file).route)
        with pytest.raises(TransportError, match="not configured"):
            await transport.send(Request("GET", f"https://{OTHER}/", (), b""))
        with pytest.raises(TransportError) as caught:
            await transport.send(Request("GET", f"{url}/", (), b""))
        await transport.close()
    assert Cause.REDIRECT == caught.value.cause
    proxy.await_target(f"200 {ZOOM}:{server.port}")
    assert not any(OTHER in line for line in proxy.targets()[before:])


async def test_a_proxy_that_never_answers_ends_in_time(
    context: Context, authority: Authority
) -> None:
    """A proxy that takes the connection and says nothing: the timeout names it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for name in ("zoom", "host", "client"):
            found = await DOORS[name](context, f"https://{ZOOM}", Way(url), 0.3)
            assert found.cause in {Cause.READ_TIMEOUT, Cause.CONNECT_TIMEOUT}, found
            assert url in found.text


@every_door
async def test_a_proxy_that_hangs_up_is_named(door: Door, context: Context) -> None:
    """An end or something else in place of an answer to CONNECT: the proxy stands in the words."""
    for answer in (b" ", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"):
        async with peer(answer=answer) as other:
            url = f"http://127.0.0.1:{other.port}"
            found = await door(context, f"https://{ZOOM}", Way(url), 5)
        assert Cause.RESPONSE_INCOMPLETE == found.cause, found
        assert url in found.text


async def test_the_client_shows_no_api_key_to_a_proxy() -> None:
    """A plain http URL through a proxy is refused; so are a bad proxy and a bad file."""
    for proxy, ca_file, named in (
        ("http://127.0.0.1:3128", "", "outgoing_proxy"),
        (f"socks5://u:{SECRET}@127.0.0.1:3128", "", "outgoing_proxy"),
        ("", str(Path(__file__)), "ca_file"),
    ):
        with pytest.raises(UsageError) as caught:
            Client("http://paraph:8001", SECRET, outgoing_proxy=proxy, ca_file=ca_file)
        assert named in caught.value.detail
        assert SECRET not in caught.value.detail
