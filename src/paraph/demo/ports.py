"""The ports of the demo, and the check that they are free."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from paraph.errors import ConfigurationError

_STEP = 10


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of all parts of the demo."""

    zoom: int = 8100
    service: int = 8000
    private: int = 8001
    host: int = 8200
    # For browsers, and so for SameSite cookies, another loopback address is another site.
    host_address: str = "127.0.0.1"


def demand_free(ports: Ports) -> None:
    """Check that every port is free before any part is started.

    Raises:
        ConfigurationError: a port is not free; the error names it, and free ports.
    """
    problems = list(_problems(ports))
    if problems:
        free = ",".join(map(str, _numbers(_free_ports(ports))))
        raise ConfigurationError(
            problems,
            remedy="Stop the program that uses the port (another demo?), or choose other ports: "
            f"paraph demo --ports {free} (make demo PORTS={free}).",
        )


def _problems(ports: Ports) -> Iterator[str]:
    names = ("zoom", "service", "private", "host")
    for name, port in zip(names, _numbers(ports), strict=True):
        failure = _failure(ports.host_address if name == "host" else "127.0.0.1", port)
        if failure == errno.EADDRINUSE or (name == "zoom" and _is_taken_on_ipv6(port)):
            yield f"port {port} ({name}) is taken"
        elif failure:
            yield f"port {port} ({name}) cannot be used: {errno.errorcode.get(failure, failure)}"


def _is_taken_on_ipv6(port: int) -> bool:
    # Browsers resolve `localhost`, the host of Zoom, to the IPv6 address first.
    return _failure("::1", port) == errno.EADDRINUSE


def _failure(address: str, port: int) -> int:
    """Return the error number of listening on an address and port; 0 if it succeeds."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            # The servers set this too: a port with connections in TIME_WAIT counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            probe.listen()
    except OSError as error:
        return error.errno or errno.EINVAL
    return 0


def _free_ports(ports: Ports) -> Ports:
    """Return the default ports, increased together until all four are free."""
    for shift in range(_STEP, 10_000, _STEP):
        zoom, service, private, host = (port + shift for port in _numbers(Ports()))
        moved = Ports(zoom, service, private, host, ports.host_address)
        if not any(_problems(moved)):
            return moved
    return Ports(8110, 8010, 8011, 8210)


def _numbers(ports: Ports) -> tuple[int, int, int, int]:
    return ports.zoom, ports.service, ports.private, ports.host
