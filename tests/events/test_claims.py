"""The claim queue: how many events are claimed, when they start, which claims are released."""

from __future__ import annotations

import msgspec

from paraph.events import claims
from paraph.events.claims import (
    HOLD_SECONDS,
    LEASE_MARGIN,
    MOST_PREFETCHED,
    WORKER_SLOTS,
    Attempt,
    ClaimQueue,
)
from paraph.model.event import KeptEvent
from storage import sample


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time that it was set to."""
        return self.now


def events(count: int, name: str = "meeting.ended") -> list[KeptEvent]:
    """Events that were claimed for the first time."""
    return [
        msgspec.structs.replace(sample.event(str(n)), name=name, attempts=1) for n in range(count)
    ]


def busy(clock: Clock, *, seconds: float, count: int) -> ClaimQueue:
    """A queue that delivered `count` events in the seconds since its last claim."""
    queue = ClaimQueue(urgent=False, monotonic=clock)
    queue.begin_claim()
    left = count
    while left:
        queue.add(events(min(left, WORKER_SLOTS)), limit=1)
        started, _ = queue.start()
        for attempt in started:
            queue.end(attempt)
        left -= len(started)
    clock.now += seconds
    return queue


def test_a_new_queue_claims_one_event_for_each_worker_slot() -> None:
    """Nothing is prefetched before the speed of the host is known."""
    assert WORKER_SLOTS == ClaimQueue(urgent=False, monotonic=Clock()).begin_claim()


def test_a_fast_queue_prefetches_for_half_a_second() -> None:
    """At a hundred events per second, fifty are prefetched; never more than the bound."""
    assert WORKER_SLOTS + 50 == busy(Clock(), seconds=1.0, count=100).begin_claim()
    assert WORKER_SLOTS + MOST_PREFETCHED == busy(Clock(), seconds=1.0, count=5000).begin_claim()


def test_an_urgent_queue_prefetches_nothing() -> None:
    """A removal does not wait in one replica while another has a free worker slot."""
    clock = Clock()
    queue = ClaimQueue(urgent=True, monotonic=clock, pause=0.0)
    queue.begin_claim()
    queue.add(events(WORKER_SLOTS), limit=WORKER_SLOTS)
    for attempt in queue.start()[0]:
        queue.end(attempt)
    clock.now += 0.1
    assert WORKER_SLOTS == queue.begin_claim()


def test_nothing_is_claimed_while_half_of_the_prefetched_events_wait() -> None:
    """Many events share the cost of a claim: the next one waits until half have started."""
    queue = busy(Clock(), seconds=1.0, count=100)
    queue.add(events(queue.begin_claim()), limit=WORKER_SLOTS + 50)
    started, _ = queue.start()
    assert (WORKER_SLOTS, 50, 0) == (len(started), queue.prefetched, queue.capacity())
    assert not queue.wants_more and 0 == queue.begin_claim()
    for attempt in started[:25]:
        queue.end(attempt)
    queue.start()
    assert (25, 25) == (queue.prefetched, queue.capacity())
    assert queue.wants_more


def test_events_that_arrive_without_capacity_are_claimed_later() -> None:
    """A skipped claim is made once there is capacity, even if the last one was not full."""
    queue = busy(Clock(), seconds=1.0, count=100)
    # Fewer than the limit, and yet too many prefetched events to claim more.
    queue.add(events(WORKER_SLOTS + 30), limit=queue.begin_claim())
    started, _ = queue.start()
    assert (0, 30) == (queue.begin_claim(), queue.prefetched)
    for attempt in started[:10]:
        queue.end(attempt)
    queue.start()
    assert queue.wants_more


def test_events_soon_after_a_claim_are_claimed_together() -> None:
    """The next claim waits for the pause; after a quiet time it is made at once."""
    clock = Clock()
    queue = ClaimQueue(urgent=False, monotonic=clock, pause=0.1)
    assert 0.0 == queue.seconds_to_claim()
    queue.add(events(3), limit=queue.begin_claim())
    queue.start()
    clock.now += 0.03
    assert 0.069 < queue.seconds_to_claim() < 0.071
    clock.now += 0.1
    assert 0.0 == queue.seconds_to_claim()


def test_a_backlog_is_claimed_without_a_pause() -> None:
    """After a full claim the next one is due as soon as many worker slots are free."""
    queue = ClaimQueue(urgent=False, monotonic=Clock(), pause=0.1)
    queue.add(events(WORKER_SLOTS), limit=queue.begin_claim())
    started, _ = queue.start()
    assert queue.seconds_to_claim() > 0
    for attempt in started:
        queue.end(attempt)
    assert 0.0 == queue.seconds_to_claim()


def test_an_event_held_too_long_is_released() -> None:
    """An event without a slot within its hold does not start: its lease might end too soon."""
    clock = Clock()
    queue = busy(clock, seconds=1.0, count=100)
    queue.add(events(queue.begin_claim()), limit=WORKER_SLOTS + 50)
    started, released = queue.start()
    assert (WORKER_SLOTS, 0) == (len(started), len(released))
    clock.now += HOLD_SECONDS
    started, released = queue.start()
    assert (0, 50, 0) == (len(started), len(released), queue.prefetched)


def test_an_attempt_ends_within_its_lease() -> None:
    """After the slowest claim, the latest start and a whole attempt, half the margin is left."""
    clock, timeout = Clock(), 29.5
    queue = ClaimQueue(urgent=False, monotonic=clock)
    claimed_at = clock.now
    queue.begin_claim()
    clock.now += LEASE_MARGIN / 2
    queue.add(events(1), limit=WORKER_SLOTS)
    clock.now += HOLD_SECONDS - 0.001
    ((attempt,), _) = queue.start()
    assert attempt.started + timeout + LEASE_MARGIN / 2 <= claimed_at + queue.lease(timeout)


def test_a_claim_that_took_too_long_starts_nothing() -> None:
    """If the lease is nearly over after a slow claim, all of its events are released."""
    clock = Clock()
    queue = ClaimQueue(urgent=False, monotonic=clock)
    queue.begin_claim()
    clock.now += HOLD_SECONDS + LEASE_MARGIN / 2
    queue.add(events(3), limit=WORKER_SLOTS)
    started, released = queue.start()
    assert (0, 3) == (len(started), len(released))


def test_a_slow_kind_starts_no_more() -> None:
    """Prefetched events of a slow kind are released; other kinds use the worker slots."""
    clock = Clock()
    queue = busy(clock, seconds=1.0, count=200)
    queue.add(events(WORKER_SLOTS, "recording.completed"), limit=1)
    slow, _ = queue.start()
    queue.add([*events(5, "recording.completed"), *events(5)], limit=1)
    clock.now += claims.SLOW_SECONDS
    assert ["recording.completed"] == queue.slow_kinds
    started, released = queue.start()
    assert {"recording.completed"} == {event.name for event in released} and 5 == len(released)
    assert ["meeting.ended"] * 5 == [attempt.event.name for attempt in started]
    assert WORKER_SLOTS + 5 == len(queue) and WORKER_SLOTS == len(slow)


def test_a_stop_releases_every_prefetched_event() -> None:
    """Released events do not start; running attempts continue."""
    queue = busy(Clock(), seconds=1.0, count=100)
    queue.add(events(queue.begin_claim()), limit=1)
    queue.start()
    assert 50 == len(queue.release())
    assert (WORKER_SLOTS, 0) == (len(queue), queue.prefetched)
    assert ([], []) == queue.start()


def test_the_oldest_attempt_times_out_first() -> None:
    """The timed-out attempts are returned, and the seconds until the next one times out."""
    clock = Clock()
    queue = ClaimQueue(urgent=False, monotonic=clock)
    attempts: list[Attempt] = []
    for _ in range(2):
        queue.begin_claim()
        queue.add(events(1), limit=1)
        attempts += queue.start()[0]
        clock.now += 4.0
    assert ([], 2.0) == queue.timed_out(10.0)
    clock.now += 3.0
    assert ([attempts[0]], 3.0) == queue.timed_out(10.0)
    queue.end(attempts[0])
    queue.end(attempts[1])
    assert ([], None) == queue.timed_out(10.0)
