"""Compares the responses of two versions of the service: `make compare OLD=another-checkout`.

Both versions run as real processes, each beside a simulated Zoom of its own, with the same settings
and a new database. Both get the same requests as raw bytes over sockets, on the fast path and on
the ASGI path, on every inbox. Status, headers and JSON structure must be equal, and so must texts
after the replacements of `comparison.txt`. The new version must also answer alike on both paths.

Exit code 1 if there is a difference.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TypeVar

from nats_server import NatsServer
from postgres_server import PostgresServer
from project.compared_flows import Flows, Step
from project.compared_report import Report, say
from project.compared_requests import Request, challenges, everything
from project.compared_responses import Response, differences, masked, read_allowed
from project.compared_sides import Side, running_side, running_zoom

Server = TypeVar("Server", PostgresServer, NatsServer)

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("comparison.txt")
PATHS = {"fast path": "true", "ASGI path": "false"}
Key = tuple[str, str]
"""A version and a path."""
KEYS: tuple[Key, ...] = tuple(product(("old", "new"), PATHS))
INBOXES = ("sqlite", "postgresql", "jetstream")
# Requests that are under way at the same time.
_AT_ONCE = 12
# A difference counts if it is there each time.
_ATTEMPTS = 4
# The rate limit of challenges has room for one more after two seconds.
_UNTIL_ROOM_SECONDS = 2.5
# Challenges that the rate limit allows at once.
_CHALLENGES = 18


class Comparison:
    """One run of both versions on one inbox.

    Args:
        inbox: the name of the inbox and the linking, for the report.
        sides: the services by version and path.
        report: gets the results.
    """

    def __init__(self, inbox: str, sides: dict[Key, Side], report: Report) -> None:
        self._inbox = inbox
        self._sides = sides
        self._report = report
        self.allowed = read_allowed(LIST)
        # Both paths of one version differ in nothing.
        self._nothing = type(self.allowed)()

    async def requests(self, requests: Sequence[Request]) -> None:
        """Send independent requests, several at a time."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int, request: Request) -> None:
            async with gate:
                await self._compare_request(number, request)

        await asyncio.gather(*(one(n, request) for n, request in enumerate(requests)))

    async def _compare_request(self, number: int, request: Request) -> None:
        # A source of its own: the limits of connections and failures count by address.
        source = f"127.{1 + number // 60_000}.{number // 250 % 240}.{number % 250 + 1}"
        responses = await self._sent(request, source, long_wait=False)
        for _ in range(_ATTEMPTS - 1):
            if not any(lines for _, lines in self._compared(responses)):
                break
            # A response may come late on a busy machine, or the clock may move on between two.
            if any(one[0].status == 429 for one in responses.values()):
                await asyncio.sleep(_UNTIL_ROOM_SECONDS)
            responses = await self._sent(request, source, long_wait=True)
        self._note(request.group, request.name, responses)

    async def _sent(
        self, request: Request, source: str, *, long_wait: bool
    ) -> dict[Key, list[Response]]:
        sent = [
            side.send(
                request.where,
                request.pieces,
                source=source,
                count=request.count,
                long_wait=long_wait,
            )
            for side in self._sides.values()
        ]
        return dict(zip(self._sides, await asyncio.gather(*sent), strict=True))

    def _compared(self, responses: dict[Key, list[Response]]) -> list[tuple[str, list[str]]]:
        """Compare old with new on each path, and both paths of the new version."""
        results = [
            (f"{self._inbox}, {path}", self._lines(responses["old", path], responses["new", path]))
            for path in PATHS
        ]
        fast, plain = responses["new", "fast path"], responses["new", "ASGI path"]
        lines = [] if masked(fast) == masked(plain) else self._lines(fast, plain, same=True)
        return [*results, (f"{self._inbox}, both paths of the new version", lines)]

    def _lines(
        self, old: Sequence[Response], new: Sequence[Response], *, same: bool = False
    ) -> list[str]:
        if len(old) != len(new):
            return [f"number of responses: {len(old)} / {len(new)}"]
        allowed = self._nothing if same else self.allowed
        pairs = zip(old, new, strict=True)
        return [line for one, other in pairs for line in differences(one, other, allowed)]

    async def flows(self, linking: str, *, with_faults: bool) -> None:
        """Run every flow that comes before the other requests; Zoom's faults take long."""
        made = {
            key: Flows(side, linking).all(with_faults=with_faults)
            for key, side in self._sides.items()
        }
        for number, (group, _) in enumerate(next(iter(made.values()))):
            steps = await asyncio.gather(*(_collected(flow[number][1]) for flow in made.values()))
            self._compare_steps(group, dict(zip(made, steps, strict=True)))

    async def removals(self, linking: str) -> None:
        """Run the flow that comes last."""
        flows = [Flows(side, linking).after() for side in self._sides.values()]
        steps = await asyncio.gather(*(_collected(flow) for flow in flows))
        self._compare_steps("removals", dict(zip(self._sides, steps, strict=True)))

    def _compare_steps(self, group: str, steps: dict[Key, list[Step]]) -> None:
        names = {tuple(name for name, _ in one) for one in steps.values()}
        if len(names) > 1:
            self._report.add(self._inbox, group, "steps", [f"different steps: {sorted(names)}"])
            return
        for number, (name, _) in enumerate(next(iter(steps.values()))):
            self._note(group, name, {key: [one[number][1]] for key, one in steps.items()})

    def _note(self, group: str, name: str, responses: dict[Key, list[Response]]) -> None:
        status = responses["new", "fast path"][0].status
        for place, lines in self._compared(responses):
            self._report.add(place, group, name, lines, status=status)


async def _collected(flow: AsyncIterator[Step]) -> list[Step]:
    return [step async for step in flow]


class Versions:
    """Both versions with their simulated Zooms, which stay while inboxes come and go.

    Args:
        old: the root of the checkout to compare with.
        new: the root of the checkout to compare.
        folder: an empty folder.
    """

    def __init__(self, old: Path, new: Path, folder: Path) -> None:
        self._roots = {"old": old.resolve(), "new": new.resolve()}
        self._folder = folder
        self._zooms: dict[Key, int] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Versions]:
        """Run a simulated Zoom for each version on each path."""
        async with contextlib.AsyncExitStack() as stack:
            for key in KEYS:
                zoom = running_zoom(self._roots[key[0]], self._new_folder("zoom", key))
                self._zooms[key] = await stack.enter_async_context(zoom)
            yield self

    @contextlib.asynccontextmanager
    async def services(self, inbox: str, linking: str) -> AsyncIterator[dict[Key, Side]]:
        """Run every version on every path, each with a database and an inbox of its own."""
        changes = {"linking": linking}
        if linking == "none":
            changes |= {"start_url": "", "link_url": ""}
        with contextlib.ExitStack() as stack:
            postgres = _started(PostgresServer(), stack) if inbox == "postgresql" else None
            async with contextlib.AsyncExitStack() as sides:
                starting = {}
                for key in KEYS:
                    if postgres is not None:
                        changes["database_url"] = postgres.create_database(empty=True)
                    if inbox == "jetstream":
                        changes["events_url"] = _started(NatsServer(), stack).events_url
                    changes["fast_lane"] = PATHS[key[1]]
                    folder = self._new_folder(f"{inbox} {linking}", key)
                    one = running_side(self._roots[key[0]], folder, self._zooms[key], **changes)
                    starting[key] = sides.enter_async_context(one)
                yield dict(zip(starting, await asyncio.gather(*starting.values()), strict=True))

    def _new_folder(self, name: str, key: Key) -> Path:
        folder = self._folder / " ".join([name, *key]).replace(" ", "-")
        folder.mkdir()
        return folder


def _started(server: Server, stack: contextlib.ExitStack) -> Server:
    stack.callback(server.stop)
    server.start()
    return server


async def compare(
    versions: Versions, inbox: str, linking: str, requests: Sequence[Request], report: Report
) -> None:
    """Compare both versions on one inbox.

    Args:
        versions: the versions to compare.
        inbox: one of INBOXES.
        linking: the setting of that name.
        requests: requests that are independent of each other.
        report: gets the results.
    """
    begun = time.monotonic()
    label = inbox if linking == "host" else f"{inbox} without linking"
    async with versions.services(inbox, linking) as sides:
        comparison = Comparison(label, sides, report)
        # Some faults end the grant that other requests need.
        await comparison.flows(linking, with_faults=not requests)
        await comparison.requests(next(_challenge_batches, []))
        await comparison.requests(requests)
        await comparison.removals(linking)
    say(f"{label}: {time.monotonic() - begun:.0f} s")


def _batches() -> Iterator[Sequence[Request]]:
    everyone = challenges()
    for begin in range(0, len(everyone), _CHALLENGES):
        yield everyone[begin : begin + _CHALLENGES]


_challenge_batches = _batches()


async def main() -> int:
    """Compare on every inbox, and print what differs."""
    parser = argparse.ArgumentParser(description="Compare the responses of two checkouts.")
    parser.add_argument("old", type=Path, help="the root of the checkout to compare with")
    parser.add_argument("--new", type=Path, default=ROOT, help="by default this checkout")
    parser.add_argument("--examples", type=int, default=1000, help="examples of each fuzz corpus")
    parser.add_argument("--inbox", choices=INBOXES, action="append", help="only these inboxes")
    given = parser.parse_args()
    report = Report()
    many = everything(given.examples)
    few = everything(given.examples // 5)
    with tempfile.TemporaryDirectory(prefix="paraph-compare-") as folder:
        async with Versions(given.old, given.new, Path(folder)).running() as versions:
            for inbox in given.inbox or INBOXES:
                requests = many if inbox == "sqlite" else few
                await compare(versions, inbox, "host", requests, report)
                if inbox == "sqlite":
                    await compare(versions, inbox, "none", (), report)
    report.print()
    return 1 if report.found else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
