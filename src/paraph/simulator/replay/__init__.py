"""Replays a scenario against a running app: its steps, waits and expectations."""

from __future__ import annotations

from paraph.simulator.replay.replay import Played, replay

__all__ = ["Played", "replay"]
