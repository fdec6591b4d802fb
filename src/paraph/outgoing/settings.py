"""The settings of outgoing connections: checked together, and reported with all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from paraph.outgoing.route import OutgoingRoute, check_bypass, parse_proxy, read_ca_file

Value = TypeVar("Value")


def check_route(
    *, proxy: str, bypass: Sequence[str], ca_file: str
) -> tuple[OutgoingRoute, list[str]]:
    """The route that some settings describe, and every problem; none of them repeats the proxy.

    Args:
        proxy: `outgoing_proxy`; "" for direct connections.
        bypass: `outgoing_proxy_bypass`.
        ca_file: `ca_file`; "" for the public certificate authorities alone.
    """
    problems: list[str] = []

    def checked(name: str, parse: Callable[[str], Value], text: str) -> Value | None:
        try:
            return parse(text)
        except ValueError as error:
            problems.append(f"{name} {error}")
            return None

    route = OutgoingRoute(
        proxy=checked("outgoing_proxy", parse_proxy, proxy) if proxy else None,
        bypass=tuple(
            checked(f"outgoing_proxy_bypass[{n}]", check_bypass, rule) or ""
            for n, rule in enumerate(bypass)
        ),
        ca_file=(checked("ca_file:", read_ca_file, ca_file) or "") if ca_file else "",
    )
    if bypass and not proxy:
        problems.append(
            "outgoing_proxy_bypass is set without outgoing_proxy: remove it, or name the proxy"
        )
    return route, problems
