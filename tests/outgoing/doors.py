"""All ways of a request out of paraph, each asked for one response over some route."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from installs.install_kit import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, SEALING_KEY, UsedStates
from paraph.client import AsyncClient, Client
from paraph.errors import ParaphError, ServiceUnreachable, TransportError
from paraph.events.http_target import Forwarder
from paraph.events.recipients import Recipients
from paraph.installs import InstallFlow
from paraph.lifecycle.context import Context
from paraph.oauth.messages import Request
from paraph.outgoing.route import OutgoingRoute
from paraph.outgoing.settings import check_route
from paraph.remote.transport import Transport
from paraph.secret import Secret
from storage import sample

SECRET = "a-secret-of-the-request-7Hq"


@dataclass(frozen=True, slots=True)
class Way:
    """A route as its settings say it."""

    proxy: str = ""
    bypass: tuple[str, ...] = ()
    ca_file: str = ""

    @property
    def route(self) -> OutgoingRoute:
        """The route; the settings have to be good."""
        route, problems = check_route(proxy=self.proxy, bypass=self.bypass, ca_file=self.ca_file)
        assert [] == problems
        return route


@dataclass(frozen=True, slots=True)
class Result:
    """The cause of a failure, "" for a response, and all text of the error."""

    cause: str = ""
    text: str = ""
    remedy: str = ""


Door = Callable[[Context, str, Way, float], Awaitable[Result]]


async def zoom(_context: Context, url: str, way: Way, seconds: float) -> Result:
    """Zoom and the key service."""
    transport = Transport({url}, route=way.route, deadline=seconds)
    try:
        await transport.send(Request("POST", f"{url}/x", (("authorization", SECRET),), b"{}"))
    except TransportError as error:
        return Result(error.cause, f"{error!r} {error.detail}", error.remedy)
    finally:
        await transport.close()
    return Result()


async def host(context: Context, url: str, way: Way, seconds: float) -> Result:
    """Forwarding."""
    forwarder = Forwarder(
        context, url=f"{url}/x", secrets=[Secret(SECRET)], deadline=seconds, route=way.route
    )
    try:
        await forwarder.forward(sample.event(body=b"{}", attempts=1), Recipients())
    except TransportError as error:
        return Result(error.cause, f"{error!r} {error.detail}", error.remedy)
    finally:
        await forwarder.close()
    return Result()


async def client(_context: Context, url: str, way: Way, seconds: float) -> Result:
    """The asynchronous client of the management API."""
    async with AsyncClient(
        url, SECRET, timeout=seconds, outgoing_proxy=way.proxy, ca_file=way.ca_file
    ) as one:
        try:
            await one.installation("jane", installation_id="i").get("/users/me")
        except ServiceUnreachable as error:
            return Result(error.cause, f"{error!r} {error.detail}", error.remedy)
        except ParaphError as error:
            return Result("" if error.status == 200 else "no response")
    return Result()


async def synchronous_client(_context: Context, url: str, way: Way, seconds: float) -> Result:
    """The synchronous client of the management API."""

    def ask() -> Result:
        with Client(
            url, SECRET, timeout=seconds, outgoing_proxy=way.proxy, ca_file=way.ca_file
        ) as one:
            try:
                one.installation("jane", installation_id="i").get("/users/me")
            except ServiceUnreachable as error:
                return Result(error.cause, f"{error!r} {error.detail}", error.remedy)
            except ParaphError as error:
                return Result("" if error.status == 200 else "no response")
        return Result()

    return await asyncio.to_thread(ask)


def _flow(url: str, way: Way, seconds: float) -> InstallFlow:
    flow = InstallFlow(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        redirect_uri=REDIRECT_URI,
        sealing_key=SEALING_KEY,
        use_state=UsedStates().use,
        authorization_server=url,
        api_servers=[url],
        outgoing_proxy=way.proxy,
        ca_file=way.ca_file,
    )
    # Shorter than a product may set it.
    app = replace(flow._driver.app, timeout=seconds)
    flow._driver = replace(flow._driver, app=app)
    return flow


def _failed(error: ParaphError) -> Result:
    if isinstance(error, TransportError):
        return Result(error.cause, f"{error!r} {error.detail}", error.remedy)
    # A response, although not one of Zoom's.
    return Result()


async def install(_context: Context, url: str, way: Way, seconds: float) -> Result:
    """An install flow that waits."""
    try:
        await asyncio.to_thread(_flow(url, way, seconds).refresh, SECRET)
    except ParaphError as error:
        return _failed(error)
    return Result()


async def awaited_install(_context: Context, url: str, way: Way, seconds: float) -> Result:
    """An install flow that is awaited."""
    try:
        await _flow(url, way, seconds).arefresh(SECRET)
    except ParaphError as error:
        return _failed(error)
    return Result()


DOORS: dict[str, Door] = {
    "zoom": zoom,
    "host": host,
    "client": client,
    "synchronous client": synchronous_client,
    "install": install,
    "awaited install": awaited_install,
}


@dataclass
class Peer:
    """A server that notes the first line of each request."""

    port: int = 0
    lines: list[str] = field(default_factory=list)


@asynccontextmanager
async def peer(
    tls: ssl.SSLContext | None = None, *, answer: bytes | None = b""
) -> AsyncIterator[Peer]:
    """Answer every request with 200, or with something else, or with nothing (None)."""
    one = Peer()
    body = b'{"code": "x"}'
    usual = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            one.lines.append(head.partition(b"\r\n")[0].decode())
            if answer is None:
                await reader.read()
            writer.write(answer or usual)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
