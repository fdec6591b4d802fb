"""The public URL is seen as Zoom sees it, and requests as the proxy passes them on."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from operations.findings.set_ups import VALUES, facts_of
from operations.probes.small_proxy import Rewrite, careful, careless, small_proxy
from paraph.operations.probes import public_url_probe
from paraph.operations.probes.arrival_probe import listening
from paraph.operations.probes.facts import ProxyFacts
from paraph.operations.probes.public_url_probe import name_facts, proxy_facts, tls_facts
from paraph.outgoing.route import OutgoingRoute
from paraph.settings.model import Settings
from ports import reserve_ports

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A private authority."""
    return trustme.CA()


def server_side(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    """A server's TLS with a certificate for a name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def route(authority: trustme.CA, folder: Path) -> OutgoingRoute:
    """Connections that trust the authority."""
    file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return OutgoingRoute(ca_file=str(file))


def settings_at(folder: Path, port: int, bind: int, outgoing: OutgoingRoute) -> Settings:
    """Settings of a service behind a proxy on this machine."""
    settings = facts_of(folder, VALUES).settings
    assert settings is not None
    return replace(
        settings,
        public_url=f"https://localhost:{port}",
        public_bind=("127.0.0.1", bind),
        outgoing=outgoing,
    )


async def seen_behind(
    authority: trustme.CA, folder: Path, rewrite: Rewrite, log: Path | None = None
) -> ProxyFacts:
    """The facts of a proxy whose service does not run."""
    [bind] = reserve_ports(1)
    async with small_proxy(server_side(authority), bind, rewrite, log) as port:
        settings = settings_at(folder, port, bind, route(authority, folder))
        logs = [str(log)] if log else []
        return await proxy_facts(settings, token=lambda: "m" * 43, logs=logs)


async def test_a_request_is_seen_as_it_arrives(authority: trustme.CA, tmp_path: Path) -> None:
    """Peer, host and forwarded headers are those that the proxy sends."""
    found = await seen_behind(authority, tmp_path, careful)

    assert found.arrival is not None
    assert 200 == found.status
    assert "127.0.0.1" == found.arrival.peer
    assert found.arrival.host.startswith("localhost:")
    assert {"x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "https"} == dict(
        found.arrival.headers
    )
    assert not found.arrival.forged_address_arrived
    assert not found.arrival.forged_scheme_arrived


async def test_a_delivery_that_arrives_meanwhile_is_not_taken() -> None:
    """A request that is not of this run gets 503, so that Zoom sends it again."""
    [port] = reserve_ports(1)
    async with listening(("127.0.0.1", port), "m" * 43) as arrivals:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
        response = await reader.read()
        writer.close()

    assert response.startswith(b"HTTP/1.1 503 ")
    assert arrivals is not None
    assert arrivals.summary() is None


async def test_forged_headers_that_arrive_are_seen(authority: trustme.CA, tmp_path: Path) -> None:
    """A proxy that passes a client's own headers is told from one that sets them."""
    log = tmp_path / "access.log"
    found = await seen_behind(authority, tmp_path, careless, log)

    assert found.arrival is not None
    assert found.arrival.forged_address_arrived
    assert found.arrival.forged_scheme_arrived
    assert (str(log),) == found.logs_with_query


async def test_a_proxy_without_a_service_is_502(authority: trustme.CA, tmp_path: Path) -> None:
    """If something else listens at the address, only responses are seen."""
    silent = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    async with silent:
        bind = silent.sockets[0].getsockname()[1]
        async with small_proxy(server_side(authority), bind, careful) as port:
            settings = settings_at(tmp_path, port, bind, route(authority, tmp_path))
            found = await proxy_facts(settings, token=lambda: "m" * 43)

    assert found.arrival is None
    assert found.failure or found.status >= 500


async def test_tls_is_described(authority: trustme.CA, tmp_path: Path) -> None:
    """Version and end of a trusted certificate; a foreign authority or name is a failure."""
    async with small_proxy(server_side(authority), 1, careful) as port:
        trusted = await tls_facts(f"https://localhost:{port}", route(authority, tmp_path))
        foreign = await tls_facts(f"https://localhost:{port}", OutgoingRoute())
    async with small_proxy(server_side(authority, "other.example"), 1, careful) as port:
        named = await tls_facts(f"https://localhost:{port}", route(authority, tmp_path))

    assert "" == trusted.failure
    assert "TLSv1.3" == trusted.version
    assert trusted.expires_at > 1_700_000_000
    assert () == trusted.old_versions
    assert "issuer" in foreign.failure or "self" in foreign.failure
    assert "localhost" in named.failure


async def test_names_are_resolved() -> None:
    """Addresses of a name, or why there are none."""
    assert set((await name_facts("https://localhost")).addresses) & {"127.0.0.1", "::1"}
    assert (await name_facts("https://no-such-name.invalid")).failure
    assert (await name_facts(f"https://{'a' * 64}.example")).failure


async def test_silence_is_no_refusal(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not respond to an old version has not refused it."""
    first = public_url_probe._handshake

    async def silent(host: str, port: int, context: ssl.SSLContext) -> tuple[str, int]:
        if context.maximum_version in {ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1}:
            raise TimeoutError
        return await first(host, port, context)

    monkeypatch.setattr(public_url_probe, "_handshake", silent)
    async with small_proxy(server_side(authority), 1, careful) as port:
        found = await tls_facts(f"https://localhost:{port}", route(authority, tmp_path))

    assert ((), ("TLSv1", "TLSv1.1")) == (found.old_versions, found.unanswered_versions)
