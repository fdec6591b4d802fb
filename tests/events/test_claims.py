"""How many are claimed, when they begin, and what is given back: the books of a road."""

from __future__ import annotations

import msgspec

from paraph.events import claims as roads
from paraph.events.claims import HOLD_SECONDS, LEASE_MARGIN, MOST_AHEAD, PLACES, Road, Work
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
    """So many, claimed for the first time."""
    return [
        msgspec.structs.replace(sample.event(str(n)), name=name, attempts=1) for n in range(count)
    ]


def busy(clock: Clock, *, seconds: float, count: int) -> Road:
    """A road that has handed so many on since its last claim, so long ago, and could go on."""
    road = Road(urgent=False, monotonic=clock)
    road.reckon()
    left = count
    while left:
        road.take(events(min(left, PLACES)), asked=1)
        begun, _ = road.turn()
        for work in begun:
            road.end(work)
        left -= len(begun)
    clock.now += seconds
    return road


def test_a_road_that_has_done_nothing_claims_what_has_a_place() -> None:
    """Nothing is claimed ahead before it is known how quick the host is."""
    assert PLACES == Road(urgent=False, monotonic=Clock()).reckon()


def test_a_quick_road_claims_ahead_what_half_a_second_takes() -> None:
    """A hundred a second: fifty more than have a place; and never more than the bound."""
    assert PLACES + 50 == busy(Clock(), seconds=1.0, count=100).reckon()
    assert PLACES + MOST_AHEAD == busy(Clock(), seconds=1.0, count=5000).reckon()


def test_an_urgent_road_claims_nothing_ahead() -> None:
    """A removal waits in no hand while another replica has a place."""
    clock = Clock()
    road = Road(urgent=True, monotonic=clock, pause=0.0)
    road.reckon()
    road.take(events(PLACES), asked=PLACES)
    for work in road.turn()[0]:
        road.end(work)
    clock.now += 0.1
    assert PLACES == road.reckon()


def test_nothing_is_claimed_while_half_of_what_was_claimed_ahead_waits() -> None:
    """A claim's price is shared by many: the next one is made when a good part has begun."""
    road = busy(Clock(), seconds=1.0, count=100)
    road.take(events(road.reckon()), asked=PLACES + 50)
    begun, _ = road.turn()
    assert (PLACES, 50, 0) == (len(begun), road.in_hand, road.room())
    assert not road.hungry and 0 == road.reckon()
    for work in begun[:25]:
        road.end(work)
    road.turn()
    assert (25, 25) == (road.in_hand, road.room())
    assert road.hungry


def test_what_arrives_while_there_is_no_room_is_claimed_when_there_is() -> None:
    """A claim that was not made is made up for, also where the last one found the end."""
    road = busy(Clock(), seconds=1.0, count=100)
    # Fewer than were asked for, and yet too many in hand to claim more.
    road.take(events(PLACES + 30), asked=road.reckon())
    begun, _ = road.turn()
    assert (0, 30) == (road.reckon(), road.in_hand)
    for work in begun[:10]:
        road.end(work)
    road.turn()
    assert road.hungry


def test_what_arrives_soon_after_a_claim_waits_for_the_others() -> None:
    """The next claim gathers them; after a quiet time the first one is claimed at once."""
    clock = Clock()
    road = Road(urgent=False, monotonic=clock, pause=0.1)
    assert 0.0 == road.patience()
    road.take(events(3), asked=road.reckon())
    road.turn()
    clock.now += 0.03
    assert 0.069 < road.patience() < 0.071
    clock.now += 0.1
    assert 0.0 == road.patience()


def test_a_backlog_waits_for_nothing() -> None:
    """Where the last claim did not find the end, and many places are free, the next one is due."""
    road = Road(urgent=False, monotonic=Clock(), pause=0.1)
    road.take(events(PLACES), asked=road.reckon())
    begun, _ = road.turn()
    assert road.patience() > 0
    for work in begun:
        road.end(work)
    assert 0.0 == road.patience()


def test_what_is_held_too_long_is_given_back() -> None:
    """What found no place within its hold does not begin: its lease might end too soon."""
    clock = Clock()
    road = busy(clock, seconds=1.0, count=100)
    road.take(events(road.reckon()), asked=PLACES + 50)
    begun, back = road.turn()
    assert (PLACES, 0) == (len(begun), len(back))
    clock.now += HOLD_SECONDS
    begun, back = road.turn()
    assert (0, 50, 0) == (len(begun), len(back), road.in_hand)


def test_whatever_begins_ends_within_its_lease() -> None:
    """The latest begin after the slowest claim, and a whole attempt: half of the margin is left."""
    clock, timeout = Clock(), 29.5
    road = Road(urgent=False, monotonic=clock)
    claimed_at = clock.now
    road.reckon()
    clock.now += LEASE_MARGIN / 2
    road.take(events(1), asked=PLACES)
    clock.now += HOLD_SECONDS - 0.001
    ((work,), _) = road.turn()
    assert work.begun + timeout + LEASE_MARGIN / 2 <= claimed_at + road.lease(timeout)


def test_a_claim_that_took_too_long_begins_nothing() -> None:
    """Where the store took so long that the lease is nearly over, all of it is given back."""
    clock = Clock()
    road = Road(urgent=False, monotonic=clock)
    road.reckon()
    clock.now += HOLD_SECONDS + LEASE_MARGIN / 2
    road.take(events(3), asked=PLACES)
    begun, back = road.turn()
    assert (0, 3) == (len(begun), len(back))


def test_a_crowded_name_begins_no_more() -> None:
    """What was claimed before a name was crowded is given back; other names take their places."""
    clock = Clock()
    road = busy(clock, seconds=1.0, count=200)
    road.take(events(PLACES, "recording.completed"), asked=1)
    slow, _ = road.turn()
    road.take([*events(5, "recording.completed"), *events(5)], asked=1)
    clock.now += roads.SLOW_SECONDS
    assert ["recording.completed"] == road.crowded
    begun, back = road.turn()
    assert {"recording.completed"} == {event.name for event in back} and 5 == len(back)
    assert ["meeting.ended"] * 5 == [work.event.name for work in begun]
    assert PLACES + 5 == len(road) and PLACES == len(slow)


def test_a_stop_gives_back_all_that_is_in_hand() -> None:
    """Nothing of it begins any more; what is under way stays."""
    road = busy(Clock(), seconds=1.0, count=100)
    road.take(events(road.reckon()), asked=1)
    road.turn()
    assert 50 == len(road.give_back())
    assert (PLACES, 0) == (len(road), road.in_hand)
    assert ([], []) == road.turn()


def test_the_oldest_is_overdue_first() -> None:
    """What has had its time is told, and when the next one will have had it."""
    clock = Clock()
    road = Road(urgent=False, monotonic=clock)
    works: list[Work] = []
    for _ in range(2):
        road.reckon()
        road.take(events(1), asked=1)
        works += road.turn()[0]
        clock.now += 4.0
    assert ([], 2.0) == road.overdue(10.0)
    clock.now += 3.0
    assert ([works[0]], 3.0) == road.overdue(10.0)
    road.end(works[0])
    road.end(works[1])
    assert ([], None) == road.overdue(10.0)
