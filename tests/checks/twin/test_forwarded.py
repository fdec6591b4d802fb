"""The scheme of the client behind the twin's proxies."""

from __future__ import annotations

import pytest

from paraph.checks.twin.forwarded import client_scheme
from paraph.checks.twin.settings import Settings
from paraph.checks.twin.web import Request

CLIENT, PROXY = "203.0.113.7", "127.0.0.2"


def scheme(peer: str, *headers: tuple[str, str]) -> str:
    """The scheme that the reference finds for these headers."""
    environment = {"TWIN_PORT": "1", "TWIN_BEHIND_PROXIES": "1"}
    request = Request("POST", "/webhook", b"/webhook", b"", list(headers), b"", peer, "http")
    return client_scheme(request, Settings.read(environment))


@pytest.mark.parametrize(
    ("schemes", "addresses", "expected"),
    [
        ("https", CLIENT, "https"),
        ("http", CLIENT, "http"),
        ("https, http", f"{CLIENT}, {PROXY}", "https"),
        ("HTTPS,HTTP", f"{CLIENT},{PROXY}", "https"),
        ("https, http", f"{PROXY}, {CLIENT}", "http"),
        ("", "", "http"),
    ],
)
def test_the_hops_are_walked_past_trusted_proxies(
    schemes: str, addresses: str, expected: str
) -> None:
    """The scheme is that of the first untrusted address, seen from the right."""
    found = scheme("127.0.0.1", ("x-forwarded-proto", schemes), ("x-forwarded-for", addresses))
    assert expected == found


def test_a_stranger_is_not_believed() -> None:
    """Headers of an untrusted peer change nothing."""
    headers = (("x-forwarded-proto", "https"), ("x-forwarded-for", CLIENT))
    assert "http" == scheme("198.51.100.1", *headers)
