"""No four kilobytes make the service do much more than a usual refusal makes it do.

What is counted are calls, of Python and of C: the same on every machine. `bench/inputs.py` shows
the time.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from paraph.http.fast_path.batch import FindRoute
from paraph.service.fast_routes import private_fast_routes, public_fast_routes
from service.connection_kit import connection
from service.input_kinds import PRIVATE, PUBLIC, SIZE, USUAL_PRIVATE, USUAL_PUBLIC, Input
from service_kit import Kit, running

pytestmark = pytest.mark.anyio

MOST = 5


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """A service that believes what its peer says of other hops: then all lists are read."""
    async with running(tmp_path, trusted_proxies=(ip_network("127.0.0.0/8"),)) as kit:
        yield kit


async def calls(app: Any, find_route: FindRoute | None, one: Input) -> int:
    """How many calls an input takes until it is answered."""
    count = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    async with connection(app, find_route) as (serving, transport):
        before = sys.getprofile()
        sys.setprofile(note)
        try:
            for piece in one.pieces:
                if not transport.closed:
                    serving.data_received(piece)
            for _ in range(100):
                if transport.written or transport.closed:
                    break
                await asyncio.sleep(0)
        finally:
            sys.setprofile(before)
    return count // one.requests


async def least(app: Any, find_route: FindRoute | None, one: Input) -> int:
    """The same without what is done once for all requests, or by others meanwhile."""
    return min([await calls(app, find_route, one) for _ in range(3)])


@pytest.mark.parametrize("is_fast", [True, False], ids=["fast path", "ASGI path"])
@pytest.mark.parametrize("side", ["public", "private"])
async def test_no_input_takes_many_calls(kit: Kit, side: str, *, is_fast: bool) -> None:
    """At most five times what a usual refusal takes, whatever is repeated in it."""
    app = getattr(kit.service, side)
    service = kit.service
    routes = {
        "public": public_fast_routes(service.public),
        "private": private_fast_routes(service.api),
    }
    find_route = routes[side] if is_fast else None
    usual, inputs = (USUAL_PUBLIC, PUBLIC) if side == "public" else (USUAL_PRIVATE, PRIVATE)
    most = MOST * await least(app, find_route, usual)
    counted = {one.name: await least(app, find_route, one) for one in inputs}

    assert {} == {name: count for name, count in counted.items() if count > most}


def test_the_inputs_have_their_size() -> None:
    """About four kilobytes each, and each of another kind."""
    for one in (*PUBLIC, *PRIVATE):
        assert sum(map(len, one.pieces)) < SIZE + 1000, one.name
