"""Rules over clocks, names, TLS and the proxy in front of the service."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from paraph.operations.findings.rule import Finding
from paraph.operations.findings.setting_rules import is_public_address
from paraph.operations.probes.facts import (
    Arrival,
    ClockFacts,
    NameFacts,
    ProxyFacts,
    TlsFacts,
)
from paraph.settings.model import Settings

_SOON_SECONDS = 14 * 86400
# Zoom's `Date` has whole seconds, and the response was in transit.
_CLOCK_SECONDS = 5


def clock_findings(clock: ClockFacts, settings: Settings | None) -> Iterator[Finding]:
    """Find a clock that makes genuine deliveries stale."""
    if clock.skew is None or abs(clock.skew) <= _CLOCK_SECONDS:
        return
    limit = 300 if settings is None else settings.freshness_future
    direction = "ahead of" if clock.skew > 0 else "behind"
    effect = (
        "every delivery is refused as stale"
        if abs(clock.skew) > limit
        else f"deliveries are refused from {limit} seconds on"
    )
    yield Finding(
        "clock-wrong",
        "system clock",
        f"This clock is {abs(clock.skew)} seconds {direction} Zoom's: {effect}.",
        "Synchronise it with NTP (chrony, systemd-timesyncd).",
    )


def key_log_findings(file: str) -> Iterator[Finding]:
    """Find the file that makes recorded TLS connections readable."""
    if file:
        yield Finding(
            "tls-keys-logged",
            "SSLKEYLOGFILE",
            f"Python appends the keys of every TLS connection to {file}: a reader of it can open "
            "recorded tokens and secrets.",
            "Unset the variable SSLKEYLOGFILE, delete the file, and replace the client secret.",
        )


def name_findings(name: NameFacts) -> Iterator[Finding]:
    """Find a public host that Zoom and browsers cannot reach."""
    if name.failure or not name.addresses:
        yield Finding(
            "name-unknown",
            name.host,
            f"The name {name.host} has no address: {name.failure or 'no record was found'}.",
            "Add an A or AAAA record for it, or correct public_url.",
        )
        return
    private = [one for one in name.addresses if not is_public_address(one)]
    if private:
        yield Finding(
            "name-not-public",
            name.host,
            f"{name.host} resolves to {', '.join(private)}, which Zoom cannot reach.",
            "Give it a public address; if this is your internal view of the name, ignore this.",
        )


def tls_findings(tls: TlsFacts, now: int) -> Iterator[Finding]:
    """Find weaknesses of TLS at the public URL."""
    if tls.failure:
        yield Finding(
            "tls-not-trusted",
            tls.origin,
            f"No trusted TLS connection can be made: {tls.failure}.",
            "Install a certificate of a public authority with its whole chain, for this name.",
        )
    elif tls.expires_at and tls.expires_at - now < _SOON_SECONDS:
        days = max(0, (tls.expires_at - now) // 86400)
        yield Finding(
            "tls-expires",
            tls.origin,
            f"The certificate ends in {days} days.",
            "Renew it, and let it renew itself (ACME).",
        )
    if tls.old_versions:
        yield Finding(
            "tls-old-version",
            tls.origin,
            f"The server also accepts {', '.join(tls.old_versions)}.",
            "Allow TLS 1.2 and 1.3 only.",
        )


def proxy_findings(proxy: ProxyFacts, settings: Settings | None) -> Iterator[Finding]:
    """Find what the proxy loses, invents or logs."""
    origin = "public_url" if settings is None else settings.public_url
    if proxy.failure or proxy.status >= 500 or proxy.status == 404:
        seen = proxy.failure or f"/healthz was answered with {proxy.status}"
        yield Finding(
            "public-url-silent",
            origin,
            f"A request to the public URL does not reach the service: {seen}.",
            "Start the service, and let the proxy pass every path to public_bind.",
        )
    redirects = 300 <= proxy.plain_status < 400 and proxy.plain_location.startswith("https://")
    if proxy.plain_status and not redirects and proxy.plain_status < 400:
        yield Finding(
            "plain-http-served",
            origin.replace("https://", "http://"),
            f"Plain http is answered with {proxy.plain_status} instead of a redirect to https.",
            "Redirect port 80 to https at the proxy, or close it.",
        )
    if proxy.forged_scheme_believed:
        yield _passes_forged("X-Forwarded-Proto")
    if proxy.arrival is not None and settings is not None:
        yield from _arrival_findings(proxy.arrival, settings)
    for log in proxy.logs_with_query:
        yield Finding(
            "proxy-logs-codes",
            log,
            "The query of /oauth/redirect is in this log, so every authorization code is too.",
            "Log the path without its query: $uri in nginx, a filter of request>uri in Caddy.",
        )


def _passes_forged(header: str) -> Finding:
    return Finding(
        "proxy-passes-forged",
        header,
        f"A client's own {header} reaches the service as if the proxy had written it.",
        f"Let the proxy that faces the internet set {header} itself.",
    )


def _arrival_findings(arrival: Arrival, settings: Settings) -> Iterator[Finding]:
    headers = arrival.headers
    if not {"x-forwarded-proto", "forwarded"} & set(headers):
        yield Finding(
            "proxy-hides-scheme",
            "X-Forwarded-Proto",
            "Requests arrive without the scheme that the client used.",
            "Set X-Forwarded-Proto at the proxy: proxy_set_header X-Forwarded-Proto $scheme.",
        )
    if not {"x-forwarded-for", "forwarded"} & set(headers):
        yield Finding(
            "proxy-hides-address",
            "X-Forwarded-For",
            "Requests arrive without the client's address, so all clients share one rate limit.",
            "Set it at the proxy: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for.",
        )
    elif settings.trusted_proxies and not _is_trusted(arrival.peer, settings):
        yield Finding(
            "proxy-not-trusted",
            "trusted_proxies",
            f"Requests arrive from {arrival.peer}, which trusted_proxies does not name.",
            f'Add "{arrival.peer}" or its network to trusted_proxies.',
        )
    if arrival.forged_scheme_arrived:
        yield _passes_forged("X-Forwarded-Proto")
    if arrival.forged_address_arrived:
        yield _passes_forged("X-Forwarded-For")
    public_host = settings.public_origin.partition("://")[2]
    if arrival.host != public_host:
        yield Finding(
            "proxy-changes-host",
            "Host",
            f"Requests arrive for {arrival.host}, and were sent to {public_host}.",
            "Pass it on: proxy_set_header Host $http_host.",
        )


def _is_trusted(peer: str, settings: Settings) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in settings.trusted_proxies)
