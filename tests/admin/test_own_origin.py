"""Host names of the pages, and origins of forms."""

from __future__ import annotations

import pytest

from paraph.admin.own_origin import OwnOrigin
from paraph.admin.page import Refusal

URL = "https://operators.tidemark.example"


def _host(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", value.encode("latin-1")) for value in values]


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:9001", "127.0.0.1:8001", "127.3.2.1", "[::1]:8001", "LocalHost"],
)
def test_loopback_is_ours(host: str) -> None:
    """Loopback is accepted with any port, because a tunnel has its own."""
    origins = OwnOrigin("").demand_host(_host(host))
    assert {f"http://{host.lower()}", f"https://{host.lower()}"} == origins


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8001",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost.",
        "10.0.0.1:8001",
        "0.0.0.0:8001",
        "[::]:8001",
        "private",
        "localhost:8001@evil.example",
        "evil.example#localhost",
        "127.0.0.1:8001:1",
        "2130706433",
        "",
        "\xe9",
    ],
)
def test_a_name_that_can_be_pointed_here_is_not(host: str) -> None:
    """DNS rebinding uses its own name, which is refused before any other check."""
    with pytest.raises(Refusal) as refused:
        OwnOrigin("").demand_host(_host(host))
    assert 421 == refused.value.status


def test_no_host_or_two_are_refused() -> None:
    """A missing or repeated Host is refused."""
    for headers in (_host(), _host("localhost", "localhost")):
        with pytest.raises(Refusal):
            OwnOrigin("").demand_host(headers)


def test_the_configured_name_is_ours_beside_loopback() -> None:
    """The configured origin is accepted with its own scheme only."""
    own = OwnOrigin(URL)
    assert {URL} == own.demand_host(_host("operators.tidemark.example"))
    assert "http://localhost:8001" in own.demand_host(_host("localhost:8001"))
    for host in ("operators.tidemark.example:444", "xoperators.tidemark.example"):
        with pytest.raises(Refusal):
            own.demand_host(_host(host))


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        (["http://localhost:8001"], []),
        (["http://localhost:8001"], ["same-origin"]),
    ],
)
def test_our_own_form_counts(origin: list[str], site: list[str]) -> None:
    """`Origin` must match; `Sec-Fetch-Site` must too if the browser sends it."""
    OwnOrigin.demand_form(_form(origin, site), frozenset({"http://localhost:8001"}))


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ([], []),
        ([], ["same-origin"]),
        (["null"], ["same-origin"]),
        (["http://localhost:8200"], ["same-site"]),
        (["http://localhost:8001"], ["same-site"]),
        (["http://localhost:8001"], ["cross-site"]),
        (["http://localhost:8001"], ["same-origin", "cross-site"]),
        (["http://localhost:8001", "http://localhost:8001"], ["same-origin"]),
        (["http://evil.example"], []),
        (["http://localhost:80011"], []),
    ],
)
def test_another_pages_form_does_not(origin: list[str], site: list[str]) -> None:
    """A form without an origin or from another port is refused."""
    with pytest.raises(Refusal) as refused:
        OwnOrigin.demand_form(_form(origin, site), frozenset({"http://localhost:8001"}))
    assert 403 == refused.value.status


def _form(origin: list[str], site: list[str]) -> list[tuple[bytes, bytes]]:
    return [
        *((b"origin", one.encode()) for one in origin),
        *((b"sec-fetch-site", one.encode()) for one in site),
    ]
