"""The private side is reached by names that no outsider can own, and by exact paths."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from api.private_socket import private_url
from paraph.service.private_host import PrivateHosts, private_names
from service_kit import Kit, running

pytestmark = pytest.mark.anyio

OURS = [
    "127.0.0.1",
    "127.0.0.1:8001",
    "[::1]:8001",
    "10.1.2.3:8001",
    "[fd00::1]",
    "localhost",
    "LOCALHOST:8001",
    "a.localhost",
    "paraph",
    "paraph:8001",
    "paraph.zoom.svc",
    "paraph.zoom.svc.cluster.local:8001",
    "paraph.tidemark.internal",
    "ops.tidemark.example",
    "Paraph.Example.COM:443",
    "paraph.example.com.",
]
FOREIGN = [
    "evil.example",
    "evil.example:8001",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io",
    "localhost.evil.example",
    "example.com",
    "a.paraph.example.com",
    "printer.local",
    "2130706433",
    "0x7f.1",
    "127.1",
    "[evil]",
    "[::1]evil.example",
    "user@localhost",
    "localhost/",
    "",
    " localhost",
    "local host",
]


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """A service whose private side has two names besides its own."""
    async with running(
        tmp_path,
        operator_url="https://ops.tidemark.example",
        private_hosts=("paraph.example.com",),
    ) as kit:
        yield kit


def hosts(kit: Kit) -> PrivateHosts:
    """As the service makes them of its settings."""
    return PrivateHosts(private_names(kit.settings))


async def test_names_that_an_outsider_can_own_are_refused(kit: Kit) -> None:
    """Addresses, names without dots, reserved ones and those of the settings; nothing else."""
    ours = hosts(kit)
    taken = [name for name in OURS + FOREIGN if ours.are_ours([(b"host", name.encode())])]

    assert OURS == taken
    assert not ours.are_ours([])
    assert not ours.are_ours([(b"host", b"localhost"), (b"host", b"localhost")])


async def test_a_bound_name_is_one_of_ours(kit: Kit) -> None:
    """What the listener is bound to is how it is reached."""
    named = replace(kit.settings, private_bind=("zoom.tidemark.example", 8001))

    assert "zoom.tidemark.example" in private_names(named)


@pytest.mark.parametrize("path", ["/metrics", "/nowhere", "/v1/installations", "/v1/openapi.json"])
async def test_a_foreign_name_is_refused_on_both_paths(kit: Kit, path: str) -> None:
    """A browser that was led here by DNS rebinding reads nothing."""
    async with private_url(kit.service) as url, httpx.AsyncClient(base_url=url) as caller:
        answer = await caller.get(path, headers={"host": "evil.example"})
        known = await caller.get(path)
    assert (421, "wrong_host") == (answer.status_code, answer.json()["code"])
    assert 421 != known.status_code


async def test_metrics_are_not_opened_by_a_header(kit: Kit) -> None:
    """An API key counts where it is asked for only: any page can send the header."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(kit.service.private), base_url="http://evil.example"
    ) as caller:
        for path in ("/metrics", "/v1x", "/v1"):
            answer = await caller.get(path, headers={"authorization": "Bearer x"})
            assert 421 == answer.status_code


async def test_a_call_with_a_key_may_use_any_name(kit: Kit) -> None:
    """Backends reach the API under names of their own, and show what no page has."""
    async with await kit.api("read") as caller:
        answer = await caller.get("/v1/installations", headers={"host": "paraph.tidemark.example"})
    assert 200 == answer.status_code


@pytest.mark.parametrize(
    "path", ["/%6detrics", "/metrics%2f", "/v1/%69nstallations", "/v1%2finstallations", "//metrics"]
)
async def test_another_spelling_is_another_url(kit: Kit, path: str) -> None:
    """Paths are compared as they stand in the request."""
    async with await kit.api("read") as caller:
        assert 404 == (await caller.get(path)).status_code
