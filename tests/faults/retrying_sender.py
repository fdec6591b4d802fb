"""Zoom's side of a crash run: deliveries without end, each sent again by Zoom's rule.

A 2xx ends a delivery, so does a 4xx; anything else is sent again after 5, 20 and 60 more minutes,
with the first timestamp. The clock runs 150 times as fast, and stands while the service is down:
a restart takes seconds, and would take half of Zoom's patience. At that pace kills come every four
minutes, and two things would make all that one kill has hit meet the next ones together, as none
of Zoom's deliveries would: a sender that cannot keep up, so it costs next to nothing; and a clock
that stands, for which all that failed while it stood failed in one instant. So each waits up to a
tenth longer.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import aiohttp

from paraph.simulator.webhooks.webhook_sender import sign
from storage import sample

WARP = 150
WAITS = tuple(wait / WARP for wait in (300, 1200, 3600))
WEBHOOK_SECRET = "a-webhook-key-for-crashes-5fQ"
LATER = 1.1
SENDERS = 8
# At once. What waits for its turn here has not been tried yet, and Zoom's seconds do not run.
ATTEMPTS = 100


@dataclass
class Delivery:
    """One event, as its sender sees it: the status of each attempt, 0 where none came."""

    body: bytes
    timestamp: str
    statuses: list[int] = field(default_factory=list)

    @cached_property
    def event_id(self) -> str:
        """The digest that the inbox keeps it under, computed here anew."""
        name = sample.CLIENT.encode()
        return hashlib.sha256(len(name).to_bytes(4, "big") + name + self.body).hexdigest()

    @property
    def accepted(self) -> bool:
        """Whether Zoom was told that it is kept."""
        return self.statuses[-1:] == [200]


class Sender:
    """Sends events without end, and each of them by Zoom's rule.

    Args:
        port: where the service listens.
        age: seconds that it has lived, over all lives.
    """

    def __init__(self, port: int, age: Callable[[], float]) -> None:
        self.url = f"http://127.0.0.1:{port}/webhook"
        self._age = age
        self.sent: list[Delivery] = []
        self._enough = asyncio.Event()
        self._retries: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(ATTEMPTS)

    async def run(self) -> None:
        """Send until `finish`, each sender one after the other; retries run beside them."""
        # The cheapest client there is: a sender that cannot keep up looks like a service that does
        # not answer in time.
        connector = aiohttp.TCPConnector(limit=ATTEMPTS)
        async with aiohttp.ClientSession(connector=connector) as http:
            await asyncio.gather(*(self._send(http) for _ in range(SENDERS)))
            while self._retries:
                await asyncio.wait(set(self._retries))

    def finish(self) -> None:
        """Send nothing new; what was begun is seen through."""
        self._enough.set()

    async def _send(self, http: aiohttp.ClientSession) -> None:
        while not self._enough.is_set():
            delivery = self._next()
            self.sent.append(delivery)
            if not await self._attempt(http, delivery):
                task = asyncio.create_task(self._again(http, delivery))
                self._retries.add(task)
                task.add_done_callback(self._retries.discard)
                await asyncio.sleep(0.3)

    def _next(self) -> Delivery:
        content = {
            "event": "meeting.ended",
            "event_ts": int(time.time() * 1000),
            "payload": {
                "account_id": sample.ACCOUNT,
                "object": {"uuid": str(len(self.sent)), "topic": "x" * 600},
            },
        }
        return Delivery(json.dumps(content).encode(), str(int(time.time())))

    async def _again(self, http: aiohttp.ClientSession, delivery: Delivery) -> None:
        for wait in WAITS:
            until = self._age() + wait * random.uniform(1.0, LATER)
            while True:
                # This clock is never faster than the wall's, so nothing is missed meanwhile.
                left = until - self._age()
                if left <= 0:
                    break
                await asyncio.sleep(max(left, 0.1))
            if await self._attempt(http, delivery):
                return

    async def _attempt(self, http: aiohttp.ClientSession, delivery: Delivery) -> bool:
        headers = {
            "x-zm-signature": sign(WEBHOOK_SECRET, delivery.timestamp, delivery.body),
            "x-zm-request-timestamp": delivery.timestamp,
        }
        try:
            # Zoom's three seconds are for all of it.
            async with (
                self._turns,
                asyncio.timeout(3),
                http.post(self.url, data=delivery.body, headers=headers) as answer,
            ):
                await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            delivery.statuses.append(0)
            return False
        delivery.statuses.append(answer.status)
        return answer.status < 500
