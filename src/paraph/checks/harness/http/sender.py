"""Single requests to the app under attack, and raw bytes for malformed ones."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from urllib.parse import urlsplit

import httpx

from paraph.checks.harness.http.destination import THIS_MACHINE, Reach
from paraph.checks.harness.http.response import Response

MAX_BODY = 4_000_000
# Seconds for each single wait.
TIMEOUT = 20.0
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/138.0.0.0 Safari/537.36"


class Sender:
    """Sends single requests, from its own source address where the system allows that.

    Args:
        address: the loopback address to send from; "" lets the system choose.
        record: called with every exchange.
        timeout: seconds for each single wait; a complete response may take twice as long.
        reach: the allowed destinations; a request to any other one is not sent.
    """

    def __init__(
        self,
        address: str,
        record: Callable[[Response], None],
        *,
        timeout: float = 0.0,
        reach: Reach = THIS_MACHINE,
    ) -> None:
        self._transport = httpx.HTTPTransport(verify=_trusting(), local_address=address or None)
        self._record = record
        self._address = address
        self._timeout = timeout or TIMEOUT
        self._reach = reach

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        timeout: float = 0.0,
    ) -> Response:
        """Send one request exactly as given, without normalising its target. Never raises.

        Args:
            method: the method.
            url: the URL.
            headers: the headers; Host, User-Agent and Content-Length are added if they are absent.
            body: the body.
            timeout: seconds for each single wait; 0 means the sender's own.
        """
        if problem := self._reach.problem(url):
            response = Response(method, url, sent=list(headers), problem=problem)
            self._record(response)
            return response
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        response = Response(method, url, sent=list(headers), sent_body=body or b"")
        begun = time.monotonic()
        wait = timeout or self._timeout
        names = {name.lower() for name, _ in headers}
        given = [] if "host" in names else [("host", parts.netloc)]
        given += [] if "user-agent" in names else [("user-agent", _AGENT)]
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            given.append(("content-length", str(len(body))))
        steps: list[str] = []
        try:
            request = httpx.Request(
                method,
                f"{parts.scheme}://{parts.netloc}/",
                headers=[(n.encode("latin-1"), v.encode("latin-1")) for n, v in (*given, *headers)],
                stream=httpx.ByteStream(body or b""),
                extensions={
                    "timeout": dict.fromkeys(("connect", "read", "write", "pool"), wait),
                    "target": target.encode("latin-1"),
                    "trace": lambda step, _info: steps.append(step),
                },
            )
            try:
                self._receive(request, response, begun + 2 * wait)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                if not _was_stale(steps):
                    raise
                # Servers close kept connections, some after each error; browsers connect again.
                self._receive(request, response, begun + 2 * wait)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            response.problem = response.problem or f"{type(error).__name__}: {error}"
        response.seconds = time.monotonic() - begun
        self._record(response)
        return response

    def _receive(self, request: httpx.Request, response: Response, deadline: float) -> None:
        reply = self._transport.handle_request(request)
        try:
            body = bytearray()
            for chunk in reply.stream:  # type: ignore[union-attr]
                body += chunk
                if len(body) > MAX_BODY:
                    response.problem = f"the response is larger than {MAX_BODY} bytes"
                    return
                if time.monotonic() > deadline:
                    response.problem = "the response does not end"
                    return
        finally:
            reply.close()
        response.status = reply.status_code
        response.headers = [
            (n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in reply.headers.raw
        ]
        response.body = bytes(body)

    def raw(
        self,
        url: str,
        *pieces: bytes,
        timeout: float = 5.0,
        pause: float = 0.0,
        whole: bool = False,
    ) -> Response:
        """Send bytes over a bare socket; return the first response. Never raises.

        Args:
            url: where to connect to.
            pieces: the bytes to send.
            timeout: seconds for each single wait, and for the response.
            pause: seconds to wait between two pieces; 0 sends them as one.
            whole: append everything that arrives within the timeout to the first body.
        """
        content = b"".join(pieces)
        method = content[:80].decode("latin-1").split(" ", 1)[0] or "RAW"
        response = Response(method, url, sent_body=content[:4096])
        begun = time.monotonic()
        received = b""
        try:
            with self.connect(url, timeout=timeout) as connection:
                for number, piece in enumerate(pieces if pause else [content]):
                    if number:
                        time.sleep(pause)
                    connection.sendall(piece)
                received = _receive_all(connection, begun + timeout, whole=whole)
        except OSError as error:
            response.problem = f"{type(error).__name__}: {error}"
        response.seconds = time.monotonic() - begun
        _parse(received, response)
        self._record(response)
        return response

    def connect(self, url: str, *, timeout: float = 5.0, narrow: bool = False) -> socket.socket:
        """Open a bare connection to the host and port of a URL.

        Args:
            url: the URL.
            timeout: seconds for each single wait.
            narrow: announce small segments and a small window. The buffers on both sides then
                hold little, so the app soon notices a peer that never reads.

        Raises:
            OSError: the connection fails or the destination is not allowed.
        """
        if problem := self._reach.problem(url):
            raise OSError(problem)
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        failure = OSError(f"{parts.hostname} has no address")
        for found in socket.getaddrinfo(parts.hostname or "", port, type=socket.SOCK_STREAM):
            connection = socket.socket(*found[:3])
            try:
                connection.settimeout(timeout)
                if narrow:
                    _narrow(connection)
                if self._address:
                    connection.bind((self._address, 0))
                connection.connect(found[4])
                if parts.scheme == "https":
                    return _trusting().wrap_socket(connection, server_hostname=parts.hostname)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return connection
        raise failure


def _was_stale(steps: Sequence[str]) -> bool:
    """Return True if a request failed on a kept connection before any byte of a response came."""
    connected = any(one.startswith("connection.connect") for one in steps)
    answered = any(one.endswith("receive_response_headers.complete") for one in steps)
    return not connected and not answered


def _narrow(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)


@cache
def _trusting() -> ssl.SSLContext:
    """Accept any certificate: the app's is a throw-away one, and separate cases check its TLS."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _receive_all(connection: socket.socket, deadline: float, *, whole: bool) -> bytes:
    received = bytearray()
    while time.monotonic() < deadline and len(received) < MAX_BODY:
        try:
            chunk = connection.recv(65536)
        except OSError:
            break
        if not chunk:
            break
        received += chunk
        if not whole and _is_complete(bytes(received)):
            break
    return bytes(received)


def _is_complete(received: bytes) -> bool:
    head, gap, body = received.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(gap and found and len(body) >= int(found[1]))


def _parse(received: bytes, response: Response) -> None:
    """Fill in status, headers and body from the bytes of a response."""
    line, _, rest = received.partition(b"\r\n")
    found = re.match(rb"HTTP/1\.[01] (\d{3})", line)
    if found is None:
        response.problem = response.problem or "the connection was closed without a response"
        return
    response.status = int(found[1])
    block, _, response.body = rest.partition(b"\r\n\r\n")
    for one in block.split(b"\r\n"):
        name, colon, value = one.decode("latin-1").partition(":")
        if colon:
            response.headers.append((name.lower(), value.strip()))
