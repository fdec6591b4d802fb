"""The service behind a proxy and a private authority; and the page where Zoom is out of reach."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import trustme

from end_to_end.target.front import serve_front
from paraph.outgoing.route import OutgoingRoute
from paraph.outgoing.settings import check_route
from paraph.service.app import open_service
from paraph.settings.model import Settings
from paraph.simulator.pytest_plugin import SimulatedZoom
from ports import reserve_ports
from service_kit import Kit, give_back, settings_for, simulated_zoom
from squid_proxy import squid

pytestmark = pytest.mark.anyio

ZOOM = "zoom.example"


@dataclass(frozen=True, slots=True)
class TlsZoom:
    """A simulated Zoom behind TLS with a certificate of a private authority."""

    zoom: SimulatedZoom
    port: int
    ca_file: str

    def settings(self, folder: Path, name: str, route: OutgoingRoute) -> Settings:
        """Settings of a service that reaches it by a name, over a route."""
        origin = f"https://{name}:{self.port}"
        return replace(
            settings_for(self.zoom, folder),
            authorization_server=origin,
            api_servers=(origin,),
            outgoing=route,
        )


@asynccontextmanager
async def tls_zoom(folder: Path) -> AsyncIterator[TlsZoom]:
    """Run one for the length of a block."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    pem = str(folder / "zoom.pem")
    authority.issue_cert(ZOOM, "localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    zoom = simulated_zoom()
    front = await serve_front(0, int(zoom.url.rpartition(":")[2]), pem, pem)
    try:
        yield TlsZoom(zoom, front.sockets[0].getsockname()[1], str(folder / "ca.pem"))
    finally:
        front.close()
        give_back(zoom)


async def install(settings: Settings, zoom: SimulatedZoom) -> httpx.Response:
    """Install in a service with these settings; people reach Zoom at its own address."""
    end, _metrics = await install_and_measure(settings, zoom)
    return end


async def install_and_measure(
    settings: Settings, zoom: SimulatedZoom
) -> tuple[httpx.Response, str]:
    """The same, and the text of `/metrics` after it."""
    async with open_service(settings) as service, Kit(zoom, service, settings).browser() as browser:
        start = await browser.get("/install")
        location = start.headers["location"]
        assert location.startswith(settings.authorization_server)
        async with httpx.AsyncClient(trust_env=False) as person:
            agreed = await person.get(location.replace(settings.authorization_server, zoom.url))
        end = await browser.get(agreed.headers["location"])
        private = httpx.AsyncClient(
            transport=httpx.ASGITransport(service.private), base_url="http://private"
        )
        async with private:
            return end, (await private.get("/metrics")).text


async def test_an_installation_through_a_proxy_and_a_private_authority(tmp_path: Path) -> None:
    """Code and identity go through the proxy, to a Zoom that only the proxy can reach."""
    async with tls_zoom(tmp_path) as one:
        with squid([ZOOM]) as proxy:
            route, problems = check_route(proxy=proxy.url, bypass=(), ca_file=one.ca_file)
            assert [] == problems
            end = await install(one.settings(tmp_path, ZOOM, route), one.zoom)
            proxy.await_target(f"200 {ZOOM}:{one.port}")
            asked = proxy.targets()
    assert (303, "/installed") == (end.status_code, end.headers["location"])
    assert {f"200 {ZOOM}:{one.port}"} == {line for line in asked if ZOOM in line}


async def test_a_page_says_whether_trying_again_helps(tmp_path: Path, log: io.StringIO) -> None:
    """A refused connection may pass; an unknown authority stays until a setting is changed."""
    async with tls_zoom(tmp_path) as one:
        unknown, metrics = await install_and_measure(
            one.settings(tmp_path, "localhost", OutgoingRoute()), one.zoom
        )
        away = replace(one, port=reserve_ports(1)[0])
        other = tmp_path / "other"
        other.mkdir()
        refused = await install(away.settings(other, "localhost", OutgoingRoute()), one.zoom)
    assert [503, 503] == [unknown.status_code, refused.status_code]
    assert ("Trying again does not help", None) == (
        unknown.text[(at := unknown.text.index("Trying")) : at + 26],
        unknown.headers.get("retry-after"),
    )
    assert ("Try again in a few minutes", "60") == (
        refused.text[(at := refused.text.index("Try again")) : at + 26],
        refused.headers.get("retry-after"),
    )
    for text in (unknown.text, refused.text):
        assert not any(word in text for word in ("ca_file", "localhost", "outgoing_proxy"))
    counted = 'paraph_outgoing_failures_total{cause="certificate_untrusted",destination="zoom"} '
    assert [True] == [
        float(line.rpartition(" ")[2]) >= 1
        for line in metrics.splitlines()
        if line.startswith(counted)
    ]
    failures = [json.loads(line) for line in log.getvalue().splitlines()]
    remedies = {line["cause"]: line["remedy"] for line in failures if "cause" in line}
    assert {"certificate_untrusted", "connection_refused"} <= set(remedies)
    assert "ca_file" in remedies["certificate_untrusted"]
