"""All requests to the app under attack: by browser, as single requests, or as raw bytes.

A browser here keeps a browser's rules, because a jar that ignores SameSite, or a request without
Sec-Fetch headers, gives wrong verdicts. Malformed requests go over a bare socket.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from paraph.checks.harness.cookie_jar import CookieJar, site_of
from paraph.checks.harness.destination import THIS_MACHINE, Reach
from paraph.checks.harness.markup import Form
from paraph.checks.harness.response import Answer

MAX_BODY = 4_000_000
PATIENCE = 20.0
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
        record: Callable[[Answer], None],
        *,
        timeout: float = 0.0,
        reach: Reach = THIS_MACHINE,
    ) -> None:
        self._transport = httpx.HTTPTransport(verify=_trusting(), local_address=address or None)
        self._record = record
        self._address = address
        self._timeout = timeout or PATIENCE
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
    ) -> Answer:
        """Send one request exactly as given, without normalising its target. Never raises."""
        if problem := self._reach.problem(url):
            answer = Answer(method, url, sent=list(headers), problem=problem)
            self._record(answer)
            return answer
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        answer = Answer(method, url, sent=list(headers), sent_body=body or b"")
        begun = time.monotonic()
        wait = timeout or self._timeout
        names = {name.lower() for name, _ in headers}
        given = [] if "host" in names else [("host", parts.netloc)]
        given += [] if "user-agent" in names else [("user-agent", _AGENT)]
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            given.append(("content-length", str(len(body))))
        try:
            request = httpx.Request(
                method,
                f"{parts.scheme}://{parts.netloc}/",
                headers=[(n.encode("latin-1"), v.encode("latin-1")) for n, v in (*given, *headers)],
                stream=httpx.ByteStream(body or b""),
                extensions={
                    "timeout": dict.fromkeys(("connect", "read", "write", "pool"), wait),
                    "target": target.encode("latin-1"),
                },
            )
            self._receive(request, answer, begun + 2 * wait)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            answer.problem = answer.problem or f"{type(error).__name__}: {error}"
        answer.seconds = time.monotonic() - begun
        self._record(answer)
        return answer

    def _receive(self, request: httpx.Request, answer: Answer, deadline: float) -> None:
        reply = self._transport.handle_request(request)
        try:
            body = bytearray()
            for chunk in reply.stream:  # type: ignore[union-attr]
                body += chunk
                if len(body) > MAX_BODY:
                    answer.problem = f"the answer is larger than {MAX_BODY} bytes"
                    return
                if time.monotonic() > deadline:
                    answer.problem = "the answer does not end"
                    return
        finally:
            reply.close()
        answer.status = reply.status_code
        answer.headers = [
            (n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in reply.headers.raw
        ]
        answer.body = bytes(body)

    def raw(
        self,
        url: str,
        *pieces: bytes,
        timeout: float = 5.0,
        pause: float = 0.0,
        whole: bool = False,
    ) -> Answer:
        """Send bytes over a bare socket, pausing between pieces; return the first response.

        With `whole`, everything that arrives within the timeout is appended to the first body.
        """
        parts = urlsplit(url)
        content = b"".join(pieces)
        head = content[:80].decode("latin-1")
        answer = Answer("RAW", url, sent_body=content[:4096])
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
            answer.problem = f"{type(error).__name__}: {error}"
        answer.seconds = time.monotonic() - begun
        line, _, rest = received.partition(b"\r\n")
        found = re.match(rb"HTTP/1\.[01] (\d{3})", line)
        if found:
            answer.status = int(found[1])
            block, _, answer.body = rest.partition(b"\r\n\r\n")
            for one in block.split(b"\r\n"):
                name, colon, value = one.partition(b":")
                if colon:
                    answer.headers.append(
                        (name.decode("latin-1").lower(), value.decode("latin-1").strip())
                    )
        elif not answer.problem:
            answer.problem = "the connection was closed without an answer"
        answer.method = head.split(" ", 1)[0] or "RAW"
        del parts
        self._record(answer)
        return answer

    def connect(self, url: str, *, timeout: float = 5.0) -> socket.socket:
        """Open a bare connection to the host and port of a URL.

        Raises:
            OSError: the connection fails or the destination is not allowed.
        """
        if problem := self._reach.problem(url):
            raise OSError(problem)
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        source = (self._address, 0) if self._address else None
        connection = socket.create_connection(
            (parts.hostname or "", port), timeout=timeout, source_address=source
        )
        if parts.scheme == "https":
            return _trusting().wrap_socket(connection, server_hostname=parts.hostname)
        return connection

    def connect_narrow(self, url: str, *, timeout: float = 5.0) -> socket.socket:
        """Open a bare connection that announces small segments and a small window.

        The buffers on both sides then hold little, so the app soon notices a peer that never reads.
        """
        if problem := self._reach.problem(url):
            raise OSError(problem)
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(parts.hostname or "", port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(timeout)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
            if self._address:
                connection.bind((self._address, 0))
            connection.connect(address)
            if parts.scheme == "https":
                return _trusting().wrap_socket(connection, server_hostname=parts.hostname)
        except OSError:
            connection.close()
            raise
        return connection


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


class Browser:
    """One browser profile with cookies, a current page, and the headers that Chromium sends.

    Args:
        sender: sends its requests.
        origins: the app's own origins; navigation to any other origin is not followed.
    """

    def __init__(self, sender: Sender, origins: Sequence[str]) -> None:
        self.sender = sender
        self.jar = CookieJar()
        self.page: Answer | None = None
        self.more: list[tuple[str, str]] = []
        self._origins = tuple(origins)

    def is_ours(self, url: str) -> bool:
        """Return True if a URL belongs to the app."""
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}" in self._origins

    def request(
        self,
        method: str,
        url: str,
        *,
        initiator: str | None = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Sequence[tuple[str, str]] = (),
        timeout: float = 0.0,
    ) -> Answer:
        """Send one top-level request without following redirects.

        Args:
            method: GET and HEAD are safe, so they carry SameSite=Lax cookies across sites.
            url: the URL to request.
            initiator: the URL of the page that caused it; None if the person typed the address.
            form: form fields, sent in the body.
            body: any other body.
            headers: headers to add or to replace.
            timeout: seconds for each single wait; 0 means the sender's own.
        """
        cross = initiator is not None and site_of(initiator) != site_of(url)
        sent = [*self._fetch_headers(method, url, initiator, cross=cross), *self.more, *headers]
        if form is not None:
            body = urlencode(dict(form)).encode()
            sent.append(("content-type", "application/x-www-form-urlencoded"))
        cookies = self.jar.header(url, cross_site=cross, safe=method in {"GET", "HEAD"})
        if cookies and not any(name.lower() == "cookie" for name, _ in headers):
            sent.append(("cookie", cookies))
        answer = self.sender.send(method, url, headers=sent, body=body, timeout=timeout)
        self.jar.store(answer.set_cookies, url)
        self.page = answer
        return answer

    def _fetch_headers(
        self, method: str, url: str, initiator: str | None, *, cross: bool
    ) -> list[tuple[str, str]]:
        relation = "none"
        headers: list[tuple[str, str]] = []
        if initiator is not None:
            same = urlsplit(initiator)[:2] == urlsplit(url)[:2]
            relation = "cross-site" if cross else ("same-origin" if same else "same-site")
            origin = "{0.scheme}://{0.netloc}".format(urlsplit(initiator))
            # The default referrer policy: the full URL within an origin, else the origin alone.
            headers.append(("referer", initiator if same else f"{origin}/"))
            if method not in {"GET", "HEAD"}:
                headers.append(("origin", origin))
        return [
            ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
            ("accept-encoding", "identity"),
            ("sec-fetch-site", relation),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-user", "?1"),
            *headers,
        ]

    def open(self, url: str, *, initiator: str | None = None, **more: Any) -> Answer:
        """Open a page with GET and follow redirects inside the app, as a browser does."""
        answer = self.request("GET", url, initiator=initiator, **more)
        return self.follow(answer, initiator=initiator)

    def follow(self, answer: Answer, *, initiator: str | None = None) -> Answer:
        """Follow redirects while they stay inside the app."""
        for _ in range(10):
            if not answer.location or not self.is_ours(answer.location):
                return answer
            answer = self.request("GET", answer.location, initiator=initiator)
        return answer

    def submit(self, form: Form, **changes: str) -> Answer:
        """Submit a form of the current page and follow redirects inside the app."""
        page = self.page.url if self.page else form.action
        fields = {**form.fields, **changes}
        if form.method == "GET":
            answer = self.request("GET", f"{form.action}?{urlencode(fields)}", initiator=page)
        else:
            answer = self.request(form.method, form.action, initiator=page, form=fields)
        return self.follow(answer, initiator=page)
