"""Handing on to the host by HTTP, signed to the Standard Webhooks specification.

    webhook-id, webhook-timestamp, webhook-signature (v1, HMAC-SHA256, one for each secret)

The id stays the same over all attempts: it is what the host deduplicates on.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
import msgspec
from standardwebhooks import Webhook

from paraph.errors import PeerUnavailable, TransportError
from paraph.lifecycle.context import Context
from paraph.secret import Secret
from paraph.storage.records import KeptEvent

DEADLINE_SECONDS = 10.0


class Forwarder:
    """Posts events and notices to the host's URL.

    Args:
        context: for the installations that an event concerns.
        url: the host's endpoint.
        secrets: signing secrets, newest first; all of them sign, so that the host can rotate.
        deadline: seconds for each step of a request; below the dispatcher's own timeout.
    """

    def __init__(
        self,
        context: Context,
        *,
        url: str,
        secrets: Sequence[Secret],
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        self._context = context
        self._url = url
        self._signers = [Webhook(_key(secret)) for secret in secrets]
        self._http = httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=deadline)

    async def hand_on(self, event: KeptEvent) -> None:
        """Post one event; a 2xx means that the host has it.

        Raises:
            PeerUnavailable: the host answered anything else.
            TransportError: it did not answer.
        """
        now = datetime.fromtimestamp(self._context.now(), tz=UTC)
        body = await self._content(event)
        text = body.decode()
        signatures = " ".join(signer.sign(event.event_id, now, text) for signer in self._signers)
        try:
            answer = await self._http.post(
                self._url,
                content=body,
                headers={
                    "content-type": "application/json",
                    "webhook-id": event.event_id,
                    "webhook-timestamp": str(int(now.timestamp())),
                    "webhook-signature": signatures,
                    **({"traceparent": event.trace} if event.trace else {}),
                },
            )
        except httpx.HTTPError as error:
            raise TransportError(f"the host did not answer: {type(error).__name__}") from None
        if not answer.is_success:
            raise PeerUnavailable(answer.status_code)

    async def _content(self, event: KeptEvent) -> bytes:
        received = datetime.fromtimestamp(event.received_at, tz=UTC).isoformat()
        raw = msgspec.Raw(event.body or b"{}")
        if event.notice:
            return msgspec.json.encode({"type": event.name, "timestamp": received, "data": raw})
        async with self._context.store.reading() as tx:
            concerned = await tx.installations.subjects_in_account(
                self._context.client.client_id, event.account_id
            )
        installations = [{"id": link_id, "subject": subject} for link_id, subject in concerned]
        return msgspec.json.encode(
            {
                "type": f"zoom.{event.name}",
                "timestamp": received,
                # The event itself goes on byte for byte as Zoom signed it.
                "data": {"installations": installations, "event": raw},
            }
        )

    async def close(self) -> None:
        """Let go of every connection."""
        await self._http.aclose()


def _key(secret: Secret) -> str:
    """The library takes base64; a secret that is none is used by its own bytes."""
    text = secret.reveal()
    if text.startswith("whsec_"):
        return text
    return base64.b64encode(text.encode()).decode()
