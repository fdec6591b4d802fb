"""Reads the state of the database, and compares clocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from paraph.errors import ParaphError
from paraph.operations.probes.facts import ClockFacts, DatabaseFacts
from paraph.remote.transport import Transport
from paraph.remote.zoom_clock import ZoomClock
from paraph.settings.model import Settings
from paraph.storage.inspection import inspect_database
from paraph.zoom.user import build_time_request
from paraph.zoom.webhook_verification import Freshness

_SECONDS = 20.0


async def database_facts(database_url: str, *, clock: Callable[[], float]) -> DatabaseFacts:
    """Read the state of the database without changing it.

    Args:
        database_url: the setting.
        clock: returns epoch seconds of this machine.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            state = await inspect_database(database_url)
    except ParaphError as error:
        known = error.remedy if error.remedy != error.default_remedy else ""
        return DatabaseFacts(failure=error.detail, remedy=known)
    except TimeoutError:
        return DatabaseFacts(failure=f"no response within {_SECONDS:.0f} seconds")
    return DatabaseFacts(
        exists=state.exists,
        missing_steps=state.missing,
        removable_steps=state.removable,
        unknown_steps=state.unknown,
        sealing_key=state.sealing_key,
        pooler=state.pooler,
        clock_ahead=0.0 if state.clock is None else state.clock - clock(),
    )


async def clock_facts(
    settings: Settings, *, clock: Callable[[], float], monotonic: Callable[[], float]
) -> ClockFacts:
    """Compare this clock with the `Date` of a response from Zoom.

    Args:
        settings: checked settings.
        clock: returns epoch seconds of this machine.
        monotonic: seconds, for durations.
    """
    freshness = Freshness(settings.freshness_past, settings.freshness_future)
    zoom_clock = ZoomClock(clock, monotonic=monotonic, freshness=freshness)
    transport = Transport(settings.api_servers, route=settings.outgoing, observe=zoom_clock.observe)
    try:
        await transport.send(build_time_request(settings.api_servers[0]))
    except ParaphError as error:
        return ClockFacts(None, error.detail)
    finally:
        await transport.close()
    return ClockFacts(zoom_clock.skew, "" if zoom_clock.skew is not None else "no Date header")
