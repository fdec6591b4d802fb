from __future__ import annotations

import ipaddress

import pytest

from paraph.service.address import arrived_in_clear, client_address

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


def scope(peer: str | None, **headers: str) -> dict[str, object]:
    """A request from a peer; keyword names become header names."""
    raw = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
    return {"client": None if peer is None else (peer, 1234), "headers": raw}


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        # A stranger's claim is nothing.
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        # The rightmost untrusted hop: everything left of it was written by the sender.
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "127.0.0.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        # Some proxies write the port as well.
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1:4711, 10.0.0.2:80", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8:1:2::9]:4711", "2001:db8:1:2::/64"),
        ("10.0.0.1", "198.51.100.1:port", "10.0.0.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        # A whole /64 is one person.
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        ("fd00::1", "2001:db8:1:2::9", "2001:db8:1:2::/64"),
        (None, None, "unknown"),
        ("not-an-address", "198.51.100.1", "unknown"),
    ],
)
def test_whose_request_it_is(peer: str | None, forwarded: str | None, address: str) -> None:
    """A forwarded address is believed from a trusted network only, rightmost hop first."""
    headers = {} if forwarded is None else {"x_forwarded_for": forwarded}

    assert address == client_address(scope(peer, **headers), PROXIES)


@pytest.mark.parametrize(
    ("peer", "proto", "in_clear"),
    [
        ("10.0.0.1", "http", True),
        ("10.0.0.1", "HTTP", True),
        ("10.0.0.1", "https", False),
        ("10.0.0.1", "https, http", True),
        ("10.0.0.1", "http, https", False),
        ("203.0.113.9", "http", False),
        ("203.0.113.9", "https", False),
        ("10.0.0.1", None, False),
        (None, "http", False),
    ],
)
def test_a_scheme_is_believed_from_proxies_only(
    peer: str | None,
    proto: str | None,
    in_clear: bool,  # noqa: FBT001 - A column of the table.
) -> None:
    """Only a trusted proxy can say that a request reached it over plain http."""
    headers = {} if proto is None else {"x_forwarded_proto": proto}

    assert in_clear is arrived_in_clear(scope(peer, **headers), PROXIES)
