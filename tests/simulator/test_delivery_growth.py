from __future__ import annotations

import os
import resource

import pytest

from paraph.simulator.webhooks import delivery as delivery_module
from simulator.socket_receiver import make_simulator, receiving

pytestmark = pytest.mark.anyio
KEPT = 500
ROUND = 1000
# The whole run is DELIVERIES=10000; a short one shows the same.
ROUNDS = int(os.environ.get("DELIVERIES", "3000")) // ROUND
# Ten thousand deliveries, if none were let go of, are more than this.
ALLOWED_KIBIBYTES = 16 << 10


def _peak() -> int:
    """The most memory that this process ever had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.slow
async def test_thousands_of_deliveries_stay_within_the_bounds_of_the_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once the history is full nothing grows: not the history, nor the queue, nor the memory."""
    monkeypatch.setattr(delivery_module, "MAX_DELIVERIES", KEPT)
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        full = 0
        for number in range(ROUNDS):
            for _ in range(ROUND // 100):
                for _ in range(100):
                    simulator.publish(app, "recording.completed", {})
                await simulator.sender.settle()
            assert ROUND == len(receiver.requests)
            receiver.requests.clear()
            assert KEPT == len(simulator.sender.deliveries)
            full = _peak() if number == 1 else full
        assert _peak() - full < ALLOWED_KIBIBYTES
        await simulator.sender.close()


async def test_failing_deliveries_wait_within_the_same_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Retries of what the history has let go of are let go of too."""
    monkeypatch.setattr(delivery_module, "MAX_DELIVERIES", 20)
    async with receiving() as receiver:
        receiver.statuses = [500]
        simulator = make_simulator(receiver.url)
        for _ in range(25):
            for _ in range(60):
                simulator.publish(simulator.world.apps[0], "meeting.ended", {})
            await simulator.sender.settle()
        # Timers are swept when they are as many as their first bound.
        assert len(simulator.timers) <= 1024
        receiver.requests.clear()
        simulator.clock.advance(300)
        await simulator.sender.settle()
        assert 20 == len(receiver.requests)
        await simulator.sender.close()
