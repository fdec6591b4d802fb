"""Sends webhooks as Zoom does: signed, 3 seconds of timeout, retries after 5, 25 and 85 minutes.

Retries follow statuses from 500 and connections that failed, never 3xx or 4xx. A bounded number of
deliveries is under way at once. A delivery dropped from the history is not retried any more, so
memory stays within the bounds of `Deliveries`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.clock import Clock, Timers
from paraph.simulator.state.fault_registry import Faults
from paraph.simulator.state.world import App
from paraph.simulator.webhooks.delivery import Attempt, Deliveries, Delivery, encode_body, sign
from paraph.simulator.webhooks.outgoing import Outgoing, Reply, UnreachableError
from paraph.simulator.webhooks.webhook_security import WebhookLogin, WebhookLoginError

__all__ = ["RETRY_AFTER", "Delivery", "WebhookSender", "encode_body", "sign"]

TIMEOUT_SECONDS = 3.0
RETRY_AFTER = (300.0, 1500.0, 5100.0)
AT_ONCE = 64
_PIECE = 16 * 1024
# A delivery held back for the next one is sent alone after this many seconds.
_HELD_SECONDS = 60.0

behaviour(
    "webhooks",
    "200 and 204 within 3 seconds are success; any 2xx on a retry",
    "documented",
    source="webhook reference",
)
behaviour(
    "webhooks",
    "retries at 5, 25 and 85 minutes, then never again",
    "documented",
    source="webhook reference",
)
behaviour(
    "webhooks",
    "retries follow 5xx, timeouts and failed connections",
    "documented",
    source="webhook reference",
)
behaviour(
    "webhooks",
    "no retry after 3xx or 4xx, 429 among them",
    "documented",
    source="webhook reference",
)
behaviour("webhooks", "no retry after a 2xx other than 200 and 204 at first", "unknown")
behaviour("webhooks", "a retry has the bytes, signature and timestamp of the first", "unknown")
behaviour("webhooks", "a retry has the x-zm-request-id of the first", "seen", source="capture 2026")
behaviour("webhooks", "every attempt has its own x-zm-trackingid", "inferred", source="DF 142066")
behaviour(
    "webhooks",
    "the header's timestamp is seconds, event_ts milliseconds",
    "documented",
    source="webhook reference",
)
behaviour(
    "webhooks",
    "traceparent and x-zm-request-id on every delivery",
    "documented",
    source="webhook reference",
)
behaviour("webhooks", "clientid and zm-trace-upstream on every delivery", "seen", source="captures")
behaviour("webhooks", "no redirect is followed: it is a response like any other", "inferred")


@dataclass(slots=True)
class _Run:
    """The state of one delivery's attempts. It refers to the delivery by id only.

    Attributes:
        begun: epoch seconds of the simulated clock, from which retries count.
        afterwards: deliveries that were held back until this one was sent.
    """

    delivery_id: str
    begun: float
    tries: int = 0
    afterwards: list[_Run] = field(default_factory=list)


class WebhookSender:
    """Sends webhooks in the background and records their results.

    Args:
        clock: the time of attempts and of retries.
        timers: schedules retries.
        faults: change every delivery at the place "webhook".
        random_bytes: returns random bytes for ids.
        outgoing: sends the requests.
    """

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        faults: Faults,
        random_bytes: Callable[[int], bytes],
        outgoing: Outgoing,
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._random_bytes = random_bytes
        self.timers = timers
        self.deliveries = Deliveries()
        self._queue: deque[_Run] = deque()
        self._held: list[_Run] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[None]] = []
        self._outgoing = outgoing
        self._login = WebhookLogin(clock, outgoing)

    def send(self, app: App, content: dict[str, Any], *, url: str, variant: str = "") -> Delivery:
        """Sign and send a body, without waiting for the response.

        Args:
            app: the app whose webhook secret signs it.
            content: the body's object, with `event`.
            url: the URL of the app; "" makes a delivery that is never sent.
            variant: "mixed_escapes", or "" for the usual form; see `encode_body`.
        """
        delivery = self.prepare(app, content, url=url, variant=variant)
        self.deliveries.add(delivery)
        if url and not self._faults.take("delivery_lost"):
            copies = 2 if self._faults.take("delivery_duplicated") else 1
            for _ in range(copies):
                self._send_in_order(_Run(delivery.id, self._clock.now()))
        return delivery

    def prepare(
        self, app: App, content: dict[str, Any], *, url: str, variant: str = ""
    ) -> Delivery:
        """Return a signed delivery after the faults have changed it; arguments as in `send`."""
        request_id = self._random_bytes(16).hex()
        parts = (request_id[:8], request_id[8:12], request_id[12:16], request_id[16:20])
        trace = self._random_bytes(24).hex()
        headers = {
            "user-agent": "Zoom Marketplace/1.0a",
            "content-type": "application/json; charset=utf-8",
            "accept-encoding": "gzip",
            "clientid": app.client_id,
            "traceparent": f"00-{trace[:32]}-{trace[32:]}-01",
            "zm-trace-upstream": "Marketplace",
            "x-zm-request-id": "_".join((*parts, request_id[20:])),
        }
        delivery = Delivery(
            id=self._random_bytes(8).hex(),
            app=app,
            event=str(content["event"]),
            url=url,
            headers=headers,
            body=encode_body(content, variant=variant),
            timestamp=str(int(self._clock.wall())),
            secret=app.webhook_secret,
        )
        delivery.sign()
        return self._faults.spoil("webhook", delivery)

    def find(self, delivery_id: str) -> Delivery | None:
        """Return a delivery by id."""
        return self.deliveries.find(delivery_id)

    def repeat(self, delivery: Delivery) -> None:
        """Send the same signed bytes once more, as a replay would."""
        self._enqueue(_Run(delivery.id, self._clock.now()))

    async def settle(self) -> None:
        """Wait until every due delivery has been sent and has its response or has failed."""
        while self._queue or self._tasks or self.timers.is_due:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(done)
            if self.timers.is_due and not self._tasks:
                asyncio.get_running_loop().call_soon(self._wake)
            await done

    def clear(self) -> None:
        """Stop all deliveries under way and delete the history."""
        self._stop()
        self._login.clear()
        self.deliveries.clear()

    async def close(self) -> None:
        """Stop, and close connections; the history stays."""
        self._stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._outgoing.close()

    def _stop(self) -> None:
        self._queue.clear()
        self._held.clear()
        for task in self._tasks:
            task.cancel()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Start background work that `settle` waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def attempt(self, delivery: Delivery) -> tuple[int, bytes]:
        """Send one POST; return the status (0: no response) and the response's first 64 KiB."""
        at = self._clock.wall()
        delivery.headers["x-zm-trackingid"] = (
            f"v=2.0;clid=us02;rid=WEB_{self._random_bytes(16).hex()}"
        )
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                reply = await self._post(delivery)
        except (UnreachableError, WebhookLoginError) as error:
            reason = str(error)
        except TimeoutError:
            reason = "no response within 3 seconds (-1)"
        else:
            delivery.attempts.append(Attempt(at, reply.status, f"answered {reply.status}"))
            return reply.status, reply.body
        delivery.attempts.append(Attempt(at, 0, reason))
        return 0, b""

    def _send_in_order(self, run: _Run) -> None:
        """Send a delivery, unless the reordering fault holds it back until the next one."""
        if not self._held and self._faults.take("delivery_reordered"):
            self._held.append(run)
            self.timers.at(run.begun + _HELD_SECONDS, partial(self._release, run))
            return
        run.afterwards, self._held = self._held, []
        self._enqueue(run)

    def _release(self, run: _Run) -> None:
        if run in self._held:
            self._held.remove(run)
            self._enqueue(run)

    def _enqueue(self, run: _Run) -> None:
        # A delivery dropped from the history is not sent: the history bounds the queue.
        while self._queue and self._queue[0].delivery_id not in self.deliveries:
            self._queue.popleft()
        self._queue.append(run)
        self._start()

    def _start(self) -> None:
        while self._queue and len(self._tasks) < AT_ONCE:
            run = self._queue.popleft()
            delivery = self.deliveries.find(run.delivery_id)
            if delivery is not None:
                self.begin(self._advance(run, delivery))

    async def _advance(self, run: _Run, delivery: Delivery) -> None:
        """Make one attempt of a run, and schedule the next step."""
        if run.tries and self._faults.take("webhook_retry_signed_anew"):
            delivery.timestamp = str(int(self._clock.wall()))
            delivery.sign()
        delivery.retry_at = 0.0
        status, _ = await self.attempt(delivery)
        run.tries += 1
        waiting, run.afterwards = run.afterwards, []
        for one in waiting:
            self._enqueue(one)
        if (status == 0 or status >= 500) and run.tries <= len(RETRY_AFTER):
            delivery.retry_at = run.begun + RETRY_AFTER[run.tries - 1]
            self.timers.at(
                delivery.retry_at,
                partial(self._enqueue, run),
                wanted=partial(self.deliveries.__contains__, run.delivery_id),
            )

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._start()
        if not self._tasks:
            self._wake()

    def _wake(self) -> None:
        idle, self._idle = self._idle, []
        for one in idle:
            if not one.done():
                one.set_result(None)

    async def _post(self, delivery: Delivery) -> Reply:
        login = await self._login.headers(delivery.app)
        headers = [*delivery.headers.items(), *login.items(), *delivery.more_headers]
        content: bytes | AsyncIterator[bytes] = delivery.body
        if delivery.chunked or delivery.pause or delivery.cut_after is not None:
            content = _pieces(delivery)
            if not delivery.chunked:
                headers.append(("content-length", str(len(delivery.body))))
        return await self._outgoing.send("POST", delivery.url, headers, content)


async def _pieces(delivery: Delivery) -> AsyncIterator[bytes]:
    """Yield a body as a fault wants it sent: in slow pieces, or not to its end."""
    body = delivery.body if delivery.cut_after is None else delivery.body[: delivery.cut_after]
    size = max(1, len(body) // 16) if delivery.pause else _PIECE
    for start in range(0, len(body), size):
        yield body[start : start + size]
        if delivery.pause:
            await asyncio.sleep(delivery.pause)
    if delivery.cut_after is not None:
        raise UnreachableError("cut off, as a fault asked for")
