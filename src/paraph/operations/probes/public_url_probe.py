"""Looks at the public URL from outside: name, TLS, and what the proxy answers."""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from paraph.errors import TransportError
from paraph.oauth.messages import Request, Response
from paraph.operations.probes.arrival_probe import FORGED, listening
from paraph.operations.probes.facts import NameFacts, ProxyFacts, TlsFacts
from paraph.outgoing.route import OutgoingRoute
from paraph.remote.plain_request import send_plain
from paraph.settings.model import Settings

_CONNECT_SECONDS = 8.0
_LOG_WAIT_SECONDS = 2.0
_LOG_PAUSE_SECONDS = 0.1
_LOG_TAIL_BYTES = 1 << 18
# Logs where Debian's packages of nginx, Caddy and Apache write them, and deploy/nginx its own.
USUAL_LOGS = (
    *(f"/var/log/{one}/access.log" for one in ("nginx", "caddy", "apache2")),
    "/var/log/nginx/paraph.log",
)
_OLD = {"TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.1": ssl.TLSVersion.TLSv1_1}


async def name_facts(public_origin: str) -> NameFacts:
    """Resolve the host of the public URL."""
    parts = urlsplit(public_origin)
    host = parts.hostname or ""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, parts.port or 443, type=socket.SOCK_STREAM
            )
    except TimeoutError:
        return NameFacts(host, failure="the resolver did not answer")
    except UnicodeError:
        # A label of more than 63 letters.
        return NameFacts(host, failure="this is not a name that can be resolved")
    except OSError as error:
        return NameFacts(host, failure=error.strerror or type(error).__name__)
    return NameFacts(host, tuple(sorted({str(address[4][0]) for address in found})))


async def tls_facts(public_origin: str, route: OutgoingRoute) -> TlsFacts:
    """Connect to the public URL with TLS, and once more with each version below 1.2.

    Args:
        public_origin: the origin of `public_url`.
        route: its certificate authorities are trusted.
    """
    parts = urlsplit(public_origin)
    host, port = parts.hostname or "", parts.port or 443
    try:
        version, expires_at = await _handshake(host, port, route.tls())
    except ssl.SSLCertVerificationError as error:
        return TlsFacts(public_origin, failure=error.verify_message)
    except (OSError, TimeoutError) as error:
        return TlsFacts(public_origin, failure=_words_of(error))
    accepted = {name: await _accepts(host, port, one) for name, one in _OLD.items()}
    return TlsFacts(
        public_origin,
        version=version,
        expires_at=expires_at,
        old_versions=tuple(name for name, one in accepted.items() if one),
        unanswered_versions=tuple(name for name, one in accepted.items() if one is None),
    )


async def _handshake(host: str, port: int, context: ssl.SSLContext) -> tuple[str, int]:
    async with asyncio.timeout(_CONNECT_SECONDS):
        _, writer = await asyncio.open_connection(host, port, ssl=context)
        try:
            tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
            # Without verification there is no such dictionary.
            end = (tls.getpeercert() or {}).get("notAfter")
            expires_at = ssl.cert_time_to_seconds(end) if isinstance(end, str) else 0
            return tls.version() or "", expires_at
        finally:
            writer.transport.abort()


async def _accepts(host: str, port: int, version: ssl.TLSVersion) -> bool | None:
    """Return true if the server accepts this version, and None if it does not respond at all."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        # To offer an old version is the purpose.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        await _handshake(host, port, context)
    except TimeoutError:
        return None
    except OSError:
        return False
    return True


def _words_of(error: OSError | TimeoutError) -> str:
    if isinstance(error, TimeoutError):
        return "no connection within 8 seconds"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "the handshake failed").replace("_", " ").lower()
    return error.strerror or type(error).__name__


async def proxy_facts(
    settings: Settings, *, token: Callable[[], str], logs: Sequence[str] = ()
) -> ProxyFacts:
    """Call the public URL, and look at what arrives at the service's address.

    If the service is not running, its address is listened on for a moment, so that the headers
    can be seen as the proxy sends them. If it is running, only its responses are seen.

    Args:
        settings: checked settings.
        token: returns a new unguessable text, which marks the requests of this run.
        logs: log files of the proxy.
    """
    mark = token()
    async with listening(settings.public_bind, mark) as arrivals:
        plain = await _ask(f"{settings.public_url}/healthz?probe={mark}", settings)
        if isinstance(plain, str):
            return ProxyFacts(status=0, failure=plain)
        forged = await _ask(f"{settings.public_url}/healthz?probe={mark}", settings, FORGED)
        marked = f"/oauth/redirect?code=doctor-{mark}&state=doctor-{mark}"
        await _ask(f"{settings.public_url}{marked}", settings)
        arrival = None if arrivals is None else arrivals.summary()
    http = await _ask(f"http://{urlsplit(settings.public_url).hostname}/healthz", settings)
    return ProxyFacts(
        arrival=arrival,
        status=plain.status,
        plain_status=0 if isinstance(http, str) else http.status,
        plain_location="" if isinstance(http, str) else _location(http),
        forged_scheme_believed=arrivals is None
        and plain.status == 200
        and not isinstance(forged, str)
        and forged.status == 400,
        logs_with_query=await _logs_with(f"doctor-{mark}", logs),
    )


async def _ask(
    url: str, settings: Settings, headers: tuple[tuple[str, str], ...] = ()
) -> Response | str:
    """Return the response, or why it did not arrive."""
    try:
        return await send_plain(Request("GET", url, headers, b""), route=settings.outgoing)
    except TransportError as error:
        return error.detail


def _location(response: Response) -> str:
    return next((value for name, value in response.headers if name == "location"), "")


async def _logs_with(text: str, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the logs that hold a text; proxies write theirs a moment after the response."""
    waiting = _existing(paths)
    found: list[str] = []
    deadline = asyncio.get_running_loop().time() + _LOG_WAIT_SECONDS
    while waiting:
        found += [one for one in waiting if _tail_holds(one, text.encode())]
        waiting = [one for one in waiting if one not in found]
        if asyncio.get_running_loop().time() >= deadline:
            break
        if waiting:
            await asyncio.sleep(_LOG_PAUSE_SECONDS)
    return tuple(found)


def _existing(paths: Sequence[str]) -> list[str]:
    return [one for one in dict.fromkeys(paths) if Path(one).is_file()]


def _tail_holds(path: str, text: bytes) -> bool:
    try:
        with Path(path).open("rb") as log:
            log.seek(max(0, Path(path).stat().st_size - _LOG_TAIL_BYTES))
            return text in log.read(_LOG_TAIL_BYTES)
    except OSError:
        return False
