"""Upgrade requests with their responses, and the headers of proxies."""

from __future__ import annotations

import pytest

from paraph.checks.cases import connections
from paraph.checks.cases.connections import UPGRADES, answered_twice, requests_per_peer, upgrade
from paraph.checks.runner import run
from paraph.checks.twin_target import twin_target
from paraph.checks.verdict import Finding, Verdict

INNER = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize("protocol", list(UPGRADES))
def test_the_inner_request_is_the_body_of_the_outer_one(protocol: str) -> None:
    """A server that reads the declared body finds no second request."""
    head, body = upgrade("http://127.0.0.1:1/a", "GET", protocol, INNER, chunked=False)
    assert head.endswith(b"\r\n\r\n")
    assert f"content-length: {len(body)}\r\n".encode() in head
    assert INNER == body

    head, body = upgrade("http://127.0.0.1:1/a", "POST", protocol, INNER, chunked=True)
    assert b"transfer-encoding: chunked\r\n" in head
    size, _, rest = body.partition(b"\r\n")
    assert INNER + b"\r\n0\r\n\r\n" == rest
    assert len(INNER) == int(size, 16)


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (b"", False),
        (b"HTTP/1.1 200 OK\r\n", False),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 400 Bad Request\r\n", False),
        (b"HTTP/1.1 404 Not Found\r\n\r\nHTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 303 See Other\r\n\r\nHTTP/1.1 401 Unauthorized\r\n", True),
    ],
)
def test_a_second_response_is_not_a_refusal(received: bytes, *, expected: bool) -> None:
    """Only a response to the inner request shows that it was processed."""
    assert expected is answered_twice(received)


def test_a_slow_app_gets_fewer_requests_but_enough_to_fill_the_buffers() -> None:
    """Deaf peers fill the buffers; they do not merely give a slow app too much work."""
    assert 67 == requests_per_peer(6_000, 0.001)
    assert 400 == requests_per_peer(450, 0.0001)
    assert 223 == requests_per_peer(450, 0.05)
    assert 17 == requests_per_peer(6_000, 5.0)


def found(name: str) -> Finding:
    """One case against the twin without the variant `behind_proxies`."""
    target = twin_target()
    del target.variants["behind_proxies"]
    (finding,) = run(target, [name], told=lambda _finding: None).findings
    return finding


def test_an_app_without_proxies_is_not_applicable() -> None:
    """The reason names the missing variant."""
    finding = found("net-forwarded-list")
    assert Verdict.NOT_APPLICABLE is finding.verdict
    assert "[variants.behind_proxies]" in finding.reason


def test_an_app_whose_limit_is_not_reached_is_not_applicable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a rate limit there is nothing to evade."""
    monkeypatch.setattr(connections, "_STARTS", 3)
    finding = found("net-forwarded-limits")
    assert Verdict.NOT_APPLICABLE is finding.verdict
    assert "no limit is seen within 3 starts" in finding.reason
