"""The connection of a client to the service: its route, and the errors of failed calls."""

from __future__ import annotations

from typing import Any

import httpx

from paraph.client.calls import unreachable
from paraph.client.problem import Refused, Unreachable
from paraph.outgoing.http_client import client_arguments, failure_of
from paraph.outgoing.route import origin_of
from paraph.outgoing.settings import check_route


class Connection:
    """The route to one service.

    Args:
        url: the URL of the service.
        outgoing_proxy: the URL of an HTTP proxy; "" for a direct connection.
        ca_file: a PEM file of additional certificate authorities; "" for the public ones only.
        timeout: seconds for each step of a call.

    Raises:
        Refused: the proxy or the file cannot be used.
    """

    def __init__(
        self, url: httpx.URL, *, outgoing_proxy: str, ca_file: str, timeout: float
    ) -> None:
        self._origin = origin_of(str(url))
        self._timeout = timeout
        self._route, problems = check_route(proxy=outgoing_proxy, bypass=(), ca_file=ca_file)
        if self._route.proxy_for(self._origin) is not None and url.scheme != "https":
            problems.append("outgoing_proxy would see the API key: use an https URL, or no proxy")
        if problems:
            raise _refused(problems)

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the arguments for the client of the HTTP library."""
        return {**client_arguments(self._route, [self._origin]), "timeout": self._timeout}

    def failed(self, error: httpx.TransportError) -> Unreachable:
        """Convert an exception of the HTTP library, whose text may quote the URL."""
        return unreachable(
            failure_of(error, origin=self._origin, route=self._route, seconds=self._timeout)
        )


def _refused(problems: list[str]) -> Refused:
    return Refused(
        0,
        {
            "code": "connection",
            "title": "The client cannot be used: " + "; ".join(problems) + ".",
            "remedy": "Correct the arguments of the client.",
        },
    )
