"""A case's view of the world, and the list of all cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paraph.checks.delivery import Deliveries


class Trial(Deliveries):
    """Everything that a case may do and see."""

    def canaries(self) -> dict[str, str]:
        """Every secret of this stage that must not be seen anywhere, and what it is."""
        return self.zoom.secrets()


Act = Callable[[Trial], Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A case's code; its words are in the catalogue."""

    id: str
    act: Act
    variant: str = ""


CASES: dict[str, Case] = {}
CONTROLS: dict[str, Act] = {}


def case(name: str, *, variant: str = "") -> Callable[[Act], Act]:
    """Register a function as a case. It returns where the app has withstood, and raises if not.

    A text that it returns says what nevertheless remains.
    """

    def register(act: Act) -> Act:
        CASES[name] = Case(name, act, variant)
        return act

    return register


def control(group: str) -> Callable[[Act], Act]:
    """Register the positive control of a group."""

    def register(act: Act) -> Act:
        CONTROLS[group] = act
        return act

    return register
