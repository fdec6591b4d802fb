"""What each step of one verified delivery costs by itself, in the order of the road.

`python bench/steps.py`. CPU microseconds, the best of many rounds with warm caches; in a loaded
service the same steps cost half as much again, since sockets, threads and other deliveries take
their turns in between. It shows where the time goes, and what a step would save if it were free.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httptools
import uvloop

import kit
import service_under_load as load
from events.inbox_kit import install, open_context
from paraph.events.inbox import Inbox
from paraph.logs import log_many, set_up_logs
from paraph.model.event import KeptEvent, Outcome
from paraph.sealing.row import Sealing
from paraph.secret import Secret
from paraph.storage.stores.events.event_columns import BODY
from paraph.strict_json import parse_json_object
from paraph.zoom.concerned_users import concerned_users
from paraph.zoom.events import parse_event
from paraph.zoom.webhook_verification import (
    Freshness,
    check_delivery_headers,
    delivery_digest,
    verify_webhook,
)
from storage import sample

BATCH = 64
ROUNDS, TIMES = 30, 500


class _Parsed:
    """What the server's protocol hears of a request."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self.body += body


def micros(step: Callable[[], Any]) -> float:
    """The best round's CPU time for one call."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(TIMES):
            step()
        best = min(best, time.process_time() - began)
    return best / TIMES * 1e6


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Lines as the service writes them, into memory."""
    set_up_logs(stream=io.StringIO(), as_json=True)
    try:
        yield
    finally:
        set_up_logs()


async def _task_and_future() -> float:
    loop = asyncio.get_running_loop()

    async def wait(future: asyncio.Future[None]) -> None:
        await future

    async def one_batch() -> None:
        futures = [loop.create_future() for _ in range(BATCH)]
        tasks = [loop.create_task(wait(one)) for one in futures]
        await asyncio.sleep(0)
        for one in futures:
            one.set_result(None)
        await asyncio.gather(*tasks)

    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(20):
            await one_batch()
        best = min(best, time.process_time() - began)
    return best / 20 / BATCH * 1e6


async def steps() -> list[tuple[str, float]]:
    """Names and costs."""
    raw = load.signed(load.body_of(1))
    parsed = _Parsed()
    httptools.HttpRequestParser(parsed).feed_data(raw)
    secrets = (Secret(load.WEBHOOK_SECRET),)

    def checked_headers() -> Any:
        return check_delivery_headers(parsed.headers, now=time.time(), freshness=Freshness())

    delivery = verify_webhook(checked_headers(), parsed.body, secrets=secrets)
    event = parse_event(delivery)
    sealing = Sealing(sample.ring(), "bench")
    event_id = delivery_digest(load.CLIENT_ID, delivery.body).hex()
    line = {"event_name": event.name, "event_id": event_id[:16], "outcome": "kept"}
    with quiet_logs():
        logged = micros(lambda: log_many("inbox", "delivery.taken", [line] * BATCH)) / BATCH
    task = await _task_and_future()
    costs = {
        "the parser alone": micros(_feed(raw)),
        "headers checked": micros(checked_headers),
        "the MAC over the body": micros(
            lambda: verify_webhook(checked_headers(), parsed.body, secrets=secrets)
        ),
        "strict JSON": micros(lambda: parse_json_object(delivery.body, max_depth=32)),
        "the event in it": micros(lambda: parse_event(delivery)),
        "the digest of what was signed": micros(
            lambda: delivery_digest(load.CLIENT_ID, delivery.body).hex()
        ),
        "the body sealed": micros(
            lambda: sealing.seal_body(BODY, event_id, delivery.body, at=1_800_000_000)
        ),
        "the users whom it concerns": micros(lambda: concerned_users(event)),
        "a task and a future that waits for the commit": task,
        "one log line": logged,
    }
    # Measured together with what comes before them.
    costs["the MAC over the body"] -= costs["headers checked"]
    costs["the event in it"] -= costs["strict JSON"]
    return [*costs.items(), *await _stored()]


def _feed(raw: bytes) -> Callable[[], None]:
    def feed() -> None:
        httptools.HttpRequestParser(_Parsed()).feed_data(raw)

    return feed


class _Nowhere:
    """Keeps nothing, at once."""

    async def keep_events(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """All of them are new."""
        del client_id
        return [Outcome.KEPT] * len(events)


async def _stored() -> list[tuple[str, float]]:
    """The inbox around the steps above, and a row in SQLite, commit and checkpoint included."""
    with tempfile.TemporaryDirectory(prefix="paraph-bench-") as folder, quiet_logs():
        async with open_context(f"sqlite:///{folder}/paraph.db", installed=False) as context:
            await install(context, account_id=load.ACCOUNT)
            nowhere = await _keep_many(Inbox(context, _Nowhere(), wanted=False))
            kept = await _keep_many(Inbox(context, wanted=False))
    return [
        ("the whole inbox, without storage", nowhere),
        ("a row in SQLite: sealed, written, flushed, copied back", kept - nowhere),
    ]


async def _keep_many(inbox: Inbox) -> float:
    secrets = (Secret(load.WEBHOOK_SECRET),)
    deliveries = []
    for raw in load.genuine(12_000):
        parsed = _Parsed()
        httptools.HttpRequestParser(parsed).feed_data(raw)
        fresh = check_delivery_headers(parsed.headers, now=time.time(), freshness=Freshness())
        delivery = verify_webhook(fresh, parsed.body, secrets=secrets)
        deliveries.append((delivery, parse_event(delivery)))
    left = iter(deliveries)

    async def sender() -> None:
        for delivery, event in left:
            await inbox.keep(delivery, event)

    began = time.process_time()
    await asyncio.gather(*(sender() for _ in range(BATCH)))
    spent = time.process_time() - began
    await inbox.close()
    return spent / len(deliveries) * 1e6


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"{kit.machine()}; fdatasync of 4 kB: {kit.flush_millis(Path(folder)):.2f} ms\n")
    print("| step | CPU µs |\n|---|--:|")
    for name, cost in uvloop.run(steps()):
        print(f"| {name} | {cost:.1f} |")


if __name__ == "__main__":
    main()
