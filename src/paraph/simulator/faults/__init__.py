"""Faults: known or possible misbehaviours of Zoom, each with a name and one function.

A fault is off until it is switched on, counts down if it was given `times`, and composes with
others: each receives the result of the one before it. Its registration names the place where it
works; endpoints only name their places. There is one file for each part of Zoom. Importing this
package registers all of them, so a new file has to be added to the imports here.
"""

from __future__ import annotations

from paraph.simulator.faults import (
    authorization,
    challenge,
    rest,
    token,
    token_dialect,
    token_shape,
    webhook,
)
from paraph.simulator.state.fault_registry import Faults

__all__ = [
    "Faults",
    "authorization",
    "challenge",
    "rest",
    "token",
    "token_dialect",
    "token_shape",
    "webhook",
]
