"""What is refused on the word of proxies is counted and logged, with what to do about it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from paraph.http import proxy_watch
from paraph.http.proxy_watch import LOG_SECONDS, ProxyWatch, log_what_is_believed
from paraph.service.fast_routes import public_fast_routes
from paraph.settings.validation import Network
from service.connection_kit import connection, feed
from service_kit import running


@dataclass(frozen=True)
class Settings:
    """Those that matter here."""

    trusted_proxies: tuple[Network, ...] = (ipaddress.ip_network("10.0.0.0/8"),)
    public_url: str = "https://app.example"


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def warning(self, event: str, **more: Any) -> None:
        """One line."""
        self.lines.append({"event": event, **more})

    info = warning


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """The log of the module."""
    one = Log()
    monkeypatch.setattr(proxy_watch, "_log", one)
    return one


def scope(peer: str, schemes: str, addresses: str) -> dict[str, Any]:
    """A request with both lists."""
    return {
        "client": (peer, 1),
        "headers": [
            (b"x-forwarded-proto", schemes.encode()),
            (b"x-forwarded-for", addresses.encode()),
        ],
    }


@pytest.mark.parametrize(
    ("peer", "schemes", "addresses", "reason", "hop"),
    [
        ("10.0.0.1", "http", "1.2.3.4", "plain_http", "1.2.3.0/24"),
        ("10.0.0.1", "https, http", "1.2.3.4, 192.168.0.7", "untrusted_hop", "192.168.0.7"),
        ("10.0.0.1", "https, http", "1.2.3.4, 2600::7", "untrusted_hop", "2600::/48"),
        ("10.0.0.1", "TLSv1.3", "1.2.3.4", "unreadable_scheme", "1.2.3.0/24"),
        ("192.168.0.7", "https", "1.2.3.4", "untrusted_peer", "192.168.0.7"),
    ],
)
def test_each_reason_is_counted_and_logged(
    log: Log, *, peer: str, schemes: str, addresses: str, reason: str, hop: str
) -> None:
    """The line names the hop, as far as it is nobody's own, and the setting that changes it."""
    watch = ProxyWatch(Settings(), monotonic=lambda: 0.0)

    assert reason == watch.refuses(scope(peer, schemes, addresses))
    assert {reason: 1} == watch.refused
    (line,) = log.lines
    assert (reason, hop, ["10.0.0.0/8"]) == (line["reason"], line["hop"], line["trusted_proxies"])
    assert "trusted_proxies" in line["remedy"] or "X-Forwarded-Proto" in line["remedy"]


def test_a_peer_without_an_address_has_a_remedy_of_its_own(log: Log) -> None:
    """On a Unix socket no network can be trusted: the line says where to listen instead."""
    watch = ProxyWatch(Settings(), monotonic=lambda: 0.0)

    request = scope("", "https", "1.2.3.4") | {"client": None}
    assert "untrusted_peer" == watch.refuses(request)
    (line,) = log.lines
    assert "unknown" == line["peer"]
    assert "Let it listen on 127.0.0.1" in line["remedy"]


def test_a_flood_is_a_line_now_and_then(log: Log) -> None:
    """Every refusal is counted; of each reason one in an interval is logged, with their number."""
    now = [0.0]
    watch = ProxyWatch(Settings(), monotonic=lambda: now[0])
    for second in (0.0, LOG_SECONDS / 2, LOG_SECONDS):
        now[0] = second
        for _ in range(100):
            watch.refuses(scope("10.0.0.1", "http", "1.2.3.4"))
    watch.refuses(scope("10.0.0.1", "nonsense", "1.2.3.4"))

    assert {"plain_http": 300, "unreadable_scheme": 1} == watch.refused
    assert [("plain_http", 1), ("plain_http", 200), ("unreadable_scheme", 1)] == [
        (line["reason"], line["count"]) for line in log.lines
    ]


@pytest.mark.parametrize(
    "settings", [Settings(trusted_proxies=()), Settings(public_url="http://127.0.0.1:8000")]
)
def test_nothing_is_refused_where_nothing_can_be_known(log: Log, settings: Settings) -> None:
    """Without trusted proxies nobody can say; on loopback plain http is what is wanted."""
    watch = ProxyWatch(settings, monotonic=lambda: 0.0)

    assert None is watch.refuses(scope("10.0.0.1", "http", "1.2.3.4"))
    assert ({}, []) == (watch.refused, log.lines)


def test_the_start_says_what_is_believed(log: Log) -> None:
    """Which networks, and which headers."""
    log_what_is_believed(Settings())
    log_what_is_believed(Settings(trusted_proxies=()))

    assert [["10.0.0.0/8"], []] == [line["trusted_proxies"] for line in log.lines]
    assert "X-Forwarded-Proto" in log.lines[0]["headers"]
    assert "none" in log.lines[1]["headers"]


@pytest.mark.anyio
async def test_both_paths_and_all_urls_count(tmp_path: Path, log: Log) -> None:
    """Pages, redirects and deliveries, on the fast path and on the other one: once each."""
    trusted = (ipaddress.ip_network("127.0.0.0/8"),)
    targets = (b"GET /install", b"GET /oauth/redirect?code=a&state=b", b"POST /webhook")
    clear = b"x-forwarded-for: 1.2.3.4, 127.0.0.7\r\nx-forwarded-proto: http, http\r\n"
    async with running(tmp_path, trusted_proxies=trusted) as kit:
        answers = []
        for find_route in (public_fast_routes(kit.service.public), None):
            for target in targets:
                raw = target + b" HTTP/1.1\r\nhost: a\r\n" + clear + b"\r\n"
                async with connection(kit.service.public, find_route) as (serving, transport):
                    answers.append((await feed(serving, transport, [raw]))[0][0])
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(kit.service.private), base_url="http://localhost"
        ) as caller:
            metrics = (await caller.get("/metrics")).text
    assert answers[:3] == answers[3:]
    assert {b"HTTP/1.1 400 Bad Request"} == {answer.partition(b"\r\n")[0] for answer in answers}
    name = 'paraph_requests_refused_by_proxy_headers_total{reason="plain_http"} 6.0'
    assert name in metrics
    assert 'paraph_deliveries_refused_total{reason="plain_http"} 2.0' in metrics
    assert 1 == len(log.lines)
