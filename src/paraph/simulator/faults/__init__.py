"""Faults: what Zoom is known to do wrong, or could, each by a name and one function.

A fault is off until it is switched on, counts down when it was given `times`, and composes with
others: each takes what the one before it made. The place it works at is part of its
registration; the endpoints only say "this is the place". One file for each part of Zoom;
whoever adds a file adds it to the imports here.
"""

from __future__ import annotations

from paraph.simulator.answer import Answer
from paraph.simulator.faults import (
    authorization,
    rest,
    token,
    token_dialect,
    token_shape,
    webhook,
)
from paraph.simulator.faults.registry import Faults, check, fault

__all__ = [
    "Answer",
    "Faults",
    "authorization",
    "check",
    "fault",
    "rest",
    "token",
    "token_dialect",
    "token_shape",
    "webhook",
]
