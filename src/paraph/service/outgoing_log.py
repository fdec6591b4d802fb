"""Logs at start how outgoing connections are made."""

from __future__ import annotations

from collections.abc import Mapping

from paraph.logs import get_logger
from paraph.outgoing.route import OutgoingRoute, ignored_variables

_log = get_logger("outgoing")


def log_route(route: OutgoingRoute, environment: Mapping[str, str]) -> None:
    """Log the route, and environment variables of other programs that have no effect here.

    Args:
        route: the route of the settings.
        environment: the variables of this process; their values are not logged.
    """
    if route.proxy is not None or route.ca_file:
        _log.info(
            "outgoing.route",
            proxy="" if route.proxy is None else str(route.proxy),
            bypass=list(route.bypass),
            ca_file=route.ca_file,
        )
    if ignored := ignored_variables(environment, route):
        _log.warning(
            "outgoing.environment_ignored",
            variables=ignored,
            remedy="These variables have no effect here. For a proxy set outgoing_proxy, for "
            "certificate authorities set ca_file.",
        )
