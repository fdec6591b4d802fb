"""Handing on to the host by HTTP, signed to the Standard Webhooks specification.

    webhook-id, webhook-timestamp, webhook-signature (v1, HMAC-SHA256, one for each secret)

The id stays the same over all attempts: it is what the host deduplicates on.

Nothing from outside decides where an event goes: no redirect is followed, no proxy but that of the
settings is asked, no cookie is kept. An answer's status is all that counts, once the answer has
ended or has become long: of its body a little is read, so that the connection can serve again, and
nothing is decompressed.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import UTC, datetime

import aiohttp
import msgspec
from standardwebhooks import Webhook

from paraph.errors import PeerUnavailable
from paraph.events.forward_failure import failure_of
from paraph.events.recipients import Recipients
from paraph.lifecycle.context import Context
from paraph.oauth.strict_json import readable_json
from paraph.outgoing.route import DIRECT, OutgoingRoute, origin_of
from paraph.remote.failure_log import FailureLog
from paraph.secret import Secret
from paraph.storage.records import ZOOM_PREFIX, KeptEvent

DEADLINE_SECONDS = 10.0
# Below what common servers allow an idle connection: the one who asks should be who hangs up.
KEEP_ALIVE_SECONDS = 4.0
# A connection that was closed while it was idle is found out within it.
MOMENT_SECONDS = 1.0
# Of an answer's body; with a longer one the connection is closed instead.
MOST_READ_BYTES = 64 << 10


class Forwarder:
    """Posts events and notices to the host's URL.

    Args:
        context: for the time.
        url: the host's endpoint.
        secrets: signing secrets, newest first; all of them sign, so that the host can rotate.
        deadline: seconds for each step of a request, and twice that for all of it; below the
            dispatcher's own timeout.
        route: the proxy and the certificate authorities of the settings.

    Attributes:
        failures: the log of requests without response, and their number.
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
        self._anew = self._session(keep_alive=False)

    def _session(self, *, keep_alive: bool) -> aiohttp.ClientSession:
        verify = self._route.tls()
        connector = (
            # Not limited here: the dispatcher bounds what is under way, and a place in a queue
            # behind slow ones would cost the quick ones their deadline.
            aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=verify)
            if keep_alive
            else aiohttp.TCPConnector(limit=0, force_close=True, ssl=verify)
        )
        # For its steps; `hand_on` has a time for the whole, which a second post shares.
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

    async def hand_on(self, event: KeptEvent, recipients: Recipients) -> None:
        """Post one event; a 2xx means that the host has it.

        Raises:
            PeerUnavailable: the host answered anything else.
            TransportError: it did not answer.
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
            own = failure_of(error, origin=self._origin, route=self._route, seconds=self._deadline)
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
            # Later than that the host had it in hand, and a removal may have counted meanwhile.
            if loop.time() - begun > MOMENT_SECONDS:
                raise
        # Most likely a connection that the host closed while it was idle, in the moment in which
        # it was taken. Once more on a new one; the id says that it is the same.
        return await self._post(self._anew, body, headers)

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
        ) as answer:
            left = MOST_READ_BYTES
            while left > 0 and (piece := await answer.content.read(left)):
                left -= len(piece)
            return answer.status

    async def close(self) -> None:
        """Let go of every connection."""
        await self._http.close()
        await self._anew.close()


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
                # Byte for byte as Zoom signed it, unless a name in it was cut in half: many
                # parsers would refuse the whole event for that.
                "event": raw,
            },
        }
    )


def _key(secret: Secret) -> str:
    """The library takes base64; a secret that is none is used by its own bytes."""
    text = secret.reveal()
    if text.startswith("whsec_"):
        return text
    return base64.b64encode(text.encode()).decode()
