"""Refuses requests that trusted proxies report as plain http: counted by reason, and logged.

Zoom never resends a delivery that was answered 4xx. So a proxy missing in `trusted_proxies` could
lose every delivery silently. Each refusal is counted. The first one of each reason in an interval
is logged with its remedy.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from starlette.types import Scope

from paraph.http.client_address import Reason, find_origin, refusal_of
from paraph.http.forwarded import Address, parse_address
from paraph.logs import get_logger
from paraph.settings.validation import Network

LOG_SECONDS = 10.0

_REMEDIES: dict[Reason, str] = {
    "plain_http": (
        "The client reached your first proxy over plain http: redirect it to https there. Where it "
        "did use https, a proxy behind the first one replaces X-Forwarded-Proto: let it append its "
        "own scheme, or pass on what it was given."
    ),
    "untrusted_hop": (
        "If this hop is a proxy of yours, add its network to trusted_proxies; what stands before "
        "it in X-Forwarded-For and X-Forwarded-Proto is believed only then."
    ),
    "unreadable_scheme": (
        "A trusted proxy reports a scheme that is neither http nor https: correct "
        "X-Forwarded-Proto, or proto in Forwarded, at the proxies of trusted_proxies."
    ),
    "untrusted_peer": (
        "If this peer is a proxy of yours, add its network to trusted_proxies; if not, close the "
        "public port of this service to everything but your proxies."
    ),
}

_ON_UNIX_SOCKET = (
    "The server does not know the address of its peer, as on a Unix socket, so no proxy can be "
    "trusted. Let it listen on 127.0.0.1, and add 127.0.0.1/32 to trusted_proxies."
)

_log = get_logger("service")


class _Settings(Protocol):
    @property
    def trusted_proxies(self) -> tuple[Network, ...]: ...

    @property
    def public_url(self) -> str: ...


class ProxyWatch:
    """Checks the scheme of requests and counts refusals.

    Args:
        settings: `public_url` and `trusted_proxies`.
        monotonic: seconds, for the sampling of log lines.

    Attributes:
        refused: the number of refused requests, by reason.
        is_active: whether any request can be refused at all.
    """

    def __init__(self, settings: _Settings, *, monotonic: Callable[[], float]) -> None:
        self._trusted = settings.trusted_proxies
        self._monotonic = monotonic
        self._logged: dict[Reason, float] = {}
        self._counted: Counter[Reason] = Counter()
        self.refused: Counter[str] = Counter()
        self.is_active = bool(self._trusted) and settings.public_url.startswith("https://")

    def refuses(self, scope: Scope) -> Reason | None:
        """Return why a request is refused; None if it is not. Counts, so call it once for each."""
        if not self.is_active:
            return None
        reason = refusal_of(scope, self._trusted)
        if reason is not None:
            self._note(reason, scope)
        return reason

    def _note(self, reason: Reason, scope: Scope) -> None:
        self.refused[reason] += 1
        self._counted[reason] += 1
        now = self._monotonic()
        last = self._logged.get(reason)
        if last is not None and now - last < LOG_SECONDS:
            return
        self._logged[reason] = now
        count = self._counted.pop(reason)
        peer = _peer(scope)
        _log.warning(
            "request.refused_by_proxy_headers",
            reason=reason,
            count=count,
            hop=_shown(find_origin(scope, self._trusted).address),
            peer=_shown(peer),
            trusted_proxies=_shown_networks(self._trusted),
            remedy=_REMEDIES[reason] if peer is not None else _ON_UNIX_SOCKET,
        )


def log_what_is_believed(settings: _Settings) -> None:
    """Log at start which forwarding headers are read, and from which proxies."""
    _log.info(
        "proxies.believed",
        trusted_proxies=_shown_networks(settings.trusted_proxies),
        headers=(
            "X-Forwarded-For and X-Forwarded-Proto, else Forwarded; from the right, for as long "
            "as the hop that reports is in trusted_proxies"
            if settings.trusted_proxies
            else "none: trusted_proxies is empty, so limits count by the peer's address"
        ),
    )


def _peer(scope: Scope) -> Address | None:
    peer = scope.get("client")
    return parse_address(peer[0]) if peer else None


def _shown(address: Address | None) -> str:
    """Show enough of an address to name its network in the settings.

    A public address may be a person's, so only its network is shown.
    """
    if address is None:
        return "unknown"
    if not address.is_global:
        return str(address)
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


def _shown_networks(networks: Sequence[Network]) -> list[str]:
    return [str(network) for network in networks]
