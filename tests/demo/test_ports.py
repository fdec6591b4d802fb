"""The ports of the demo."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import pytest

from paraph.demo.ports import Ports, demand_free
from paraph.errors import ConfigurationError


@contextmanager
def taken(count: int, address: str = "127.0.0.1") -> Iterator[list[int]]:
    """Ports that somebody listens on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(family)) for _ in range(count)]
        for one in sockets:
            one.bind((address, 0))
            one.listen()
        yield [one.getsockname()[1] for one in sockets]


def problems(ports: Ports) -> Sequence[str]:
    """The problems with these ports, of which other processes may cause more."""
    try:
        demand_free(ports)
    except ConfigurationError as error:
        return error.problems
    return []


def test_ports_that_can_be_listened_on_pass() -> None:
    """Nothing is raised where every address gives no error."""
    with patch("paraph.demo.ports._failure", return_value=0):
        demand_free(Ports())


def test_every_taken_port_is_named_with_a_way_out() -> None:
    """All are named at once; the ports of the remedy are four others."""
    with taken(4) as ports, pytest.raises(ConfigurationError) as caught:
        demand_free(Ports(*ports))  # type: ignore[arg-type]
    names = ("zoom", "service", "private", "host")
    assert [f"port {port} ({name}) is taken" for port, name in zip(ports, names, strict=True)] == (
        list(caught.value.problems)
    )
    offered = re.findall(r"--ports ([0-9,]+) .*PORTS=([0-9,]+)\)", caught.value.remedy)
    assert offered[0][0] == offered[0][1]
    assert 4 == len(set(offered[0][0].split(",")) - set(map(str, ports)))


def test_taken_ports_are_not_offered() -> None:
    """The ports of the remedy are moved until each of them is free."""

    def failure(_address: str, port: int) -> int:
        return errno.EADDRINUSE if port in {8000, 8111, 8021, 8130} else 0

    with (
        patch("paraph.demo.ports._failure", failure),
        pytest.raises(ConfigurationError) as caught,
    ):
        demand_free(Ports())
    assert ["port 8000 (service) is taken"] == list(caught.value.problems)
    assert "--ports 8110,8010,8011,8210 " in caught.value.remedy
    with (
        patch("paraph.demo.ports._failure", lambda a, p: failure(a, p + (p == 8110))),
        pytest.raises(ConfigurationError) as caught,
    ):
        demand_free(Ports())
    assert "--ports 8140,8040,8041,8240 " in caught.value.remedy


def test_each_address_has_its_own_ports() -> None:
    """The host product may listen on another loopback address than the rest."""
    with taken(1, "127.0.0.2") as (port,):
        named = f"port {port} (host) is taken"
        assert named in problems(Ports(host=port, host_address="127.0.0.2"))
        assert f"port {port} (zoom) is taken" not in problems(Ports(zoom=port))


def test_a_port_of_zoom_is_taken_on_ipv6_as_well() -> None:
    """Zoom is reached as `localhost`, which may lead to ::1."""
    try:
        with taken(1, "::1") as (port,):
            assert f"port {port} (zoom) is taken" in problems(Ports(zoom=port))
    except OSError:
        pytest.skip("this machine has no ::1")


def test_an_address_that_does_not_exist_is_not_called_taken() -> None:
    """The system's own error is named instead."""
    found = problems(Ports(host=8299, host_address="192.0.2.1"))
    assert "port 8299 (host) cannot be used: EADDRNOTAVAIL" in found
