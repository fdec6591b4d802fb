"""Forwards events to the host by HTTP, signed as the Standard Webhooks specification says.

    webhook-id, webhook-timestamp, webhook-signature (v1, HMAC-SHA256, one for each secret)

The id is the same in every attempt: the host uses it to recognise duplicates.

Only the settings decide where an event goes: no redirect is followed, no proxy from the environment
is used, no cookie is kept. Only the status of the response counts. A small part of its body is
read, so that the connection can be reused. Nothing is decompressed.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import UTC, datetime

import aiohttp
import msgspec
from standardwebhooks import Webhook

from paraph.errors import PeerUnavailable, TransportError
from paraph.events.recipients import Recipients
from paraph.lifecycle.context import Context
from paraph.model.event import ZOOM_PREFIX, KeptEvent
from paraph.outgoing.failure import Cause, cause_of, failure, proxy_cause
from paraph.outgoing.route import DIRECT, KEEP_ALIVE_SECONDS, OutgoingRoute, origin_of
from paraph.remote.failure_log import FailureLog
from paraph.secret import Secret
from paraph.strict_json import readable_json

DEADLINE_SECONDS = 10.0
# A post that fails this soon (seconds) most likely met a connection closed while idle.
MOMENT_SECONDS = 1.0
# Bytes read of a response body; after a longer body the connection is closed.
MOST_READ_BYTES = 64 << 10


class Forwarder:
    """Posts events and notices to the host's URL.

    Args:
        context: the clock that dates each request.
        url: the host's endpoint.
        secrets: signing secrets, newest first; all of them sign, so that the host can rotate.
        deadline: seconds for each step of a request; the whole request may take twice that.
            It must be below the dispatcher's timeout.
        route: the proxy and the certificate authorities of the settings.

    Attributes:
        failures: logs and counts requests without a response.
    """

    def __init__(
        self,
        context: Context,
        *,
        url: str,
        secrets: Sequence[Secret],
        deadline: float = DEADLINE_SECONDS,
        route: OutgoingRoute = DIRECT,
    ) -> None:
        self._context = context
        self._url = url
        self._signers = [Webhook(_key(secret)) for secret in secrets]
        self._deadline = deadline
        self._route = route
        self._origin = origin_of(url)
        self._proxy = route.proxy_for(url)
        authorization = "" if self._proxy is None else self._proxy.authorization
        self._proxy_headers = {"proxy-authorization": authorization} if authorization else None
        self.failures = FailureLog()
        self._http = self._session(keep_alive=True)
        self._unpooled = self._session(keep_alive=False)

    def _session(self, *, keep_alive: bool) -> aiohttp.ClientSession:
        verify = self._route.tls()
        connector = (
            # No limit here: the dispatcher limits concurrency. Waiting for a connection behind slow
            # requests would use up the deadline of fast ones.
            aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=verify)
            if keep_alive
            else aiohttp.TCPConnector(limit=0, force_close=True, ssl=verify)
        )
        # For each step. `forward` sets the deadline of the whole, including a second post.
        timeout = aiohttp.ClientTimeout(
            total=None, connect=self._deadline, sock_read=self._deadline
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"user-agent": "paraph", "accept-encoding": "identity"},
        )

    async def forward(self, event: KeptEvent, recipients: Recipients) -> None:
        """Post one event. A 2xx response means that the host accepted it.

        Raises:
            PeerUnavailable: the host sent a response other than 2xx.
            TransportError: the host sent no response.
        """
        now = datetime.fromtimestamp(self._context.now(), tz=UTC)
        body = _content(event, recipients)
        text = body.decode()
        headers = {
            "content-type": "application/json",
            "webhook-id": event.event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(
                signer.sign(event.event_id, now, text) for signer in self._signers
            ),
        }
        if event.trace:
            headers["traceparent"] = event.trace
        try:
            async with asyncio.timeout(2 * self._deadline):
                status = await self._post_once_or_twice(body, headers)
        except (aiohttp.ClientError, TimeoutError) as error:
            own = _failure_of(error, origin=self._origin, route=self._route, seconds=self._deadline)
            self.failures.note(own, peer=self._origin)
            raise own from None
        if not 200 <= status < 300:
            raise PeerUnavailable(status)

    async def _post_once_or_twice(self, body: bytes, headers: dict[str, str]) -> int:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            return await self._post(self._http, body, headers)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # Later, the host may already have the event, and a removal may have been applied.
            if loop.time() - begun > MOMENT_SECONDS:
                raise
        # Most likely the host closed an idle connection just as it was reused. Post once more on
        # a new connection; the id marks it as the same event.
        return await self._post(self._unpooled, body, headers)

    async def _post(
        self, session: aiohttp.ClientSession, body: bytes, headers: dict[str, str]
    ) -> int:
        proxy = self._proxy
        async with session.post(
            self._url,
            data=body,
            headers=headers,
            allow_redirects=False,
            proxy=None if proxy is None else str(proxy),
            proxy_headers=self._proxy_headers,
        ) as response:
            left = MOST_READ_BYTES
            while left > 0 and (piece := await response.content.read(left)):
                left -= len(piece)
            return response.status

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()
        await self._unpooled.close()


def _content(event: KeptEvent, recipients: Recipients) -> bytes:
    received = datetime.fromtimestamp(event.received_at, tz=UTC).isoformat()
    raw = msgspec.Raw(readable_json(event.body or b"{}"))
    if event.notice:
        return msgspec.json.encode({"type": event.name, "timestamp": received, "data": raw})
    installations = [
        {
            "id": one.link_id,
            "subject": one.subject,
            "zoom": {"user_id": one.user_id, "account_id": one.account_id},
        }
        for one in recipients.installations
    ]
    return msgspec.json.encode(
        {
            "type": f"{ZOOM_PREFIX}{event.name}",
            "timestamp": received,
            "data": {
                "installations": installations,
                "selected_by": recipients.selected_by.value,
                "concerned_users": recipients.concerned_users,
                # Byte for byte as Zoom signed it, unless it contains half a surrogate pair:
                # many parsers would refuse the whole event for that.
                "event": raw,
            },
        }
    )


def _key(secret: Secret) -> str:
    """Encode a secret for the library, which takes base64; other secrets are used as bytes."""
    text = secret.reveal()
    if text.startswith("whsec_"):
        return text
    return base64.b64encode(text.encode()).decode()


def _failure_of(
    error: Exception, *, origin: str, route: OutgoingRoute, seconds: float
) -> TransportError:
    """Return the error for an exception of aiohttp, without its text, which quotes the host.

    Args:
        error: a `ClientError` or a `TimeoutError`.
        origin: the origin of the host's URL.
        route: the route of the request.
        seconds: the timeout of each step.
    """
    proxy = route.proxy_for(origin)
    cause, extra = _cause(error, proxied=proxy is not None, tls=origin.startswith("https:"))
    return failure(cause, peer=origin, proxy=proxy, seconds=seconds, extra=extra)


def _cause(error: Exception, *, proxied: bool, tls: bool) -> tuple[Cause, str]:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return proxy_cause(error.status), str(error.status)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Cause.CONNECT_TIMEOUT, ""
    if isinstance(error, TimeoutError):
        return Cause.READ_TIMEOUT, ""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientSSLError):
        return cause_of(error, proxied=proxied, tls=tls)
    return Cause.RESPONSE_INCOMPLETE, ""
