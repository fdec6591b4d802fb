"""The registry of all cases and of the positive control of each group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paraph.checks.harness.case_context import CaseContext

Act = Callable[[CaseContext], Any]


@dataclass(frozen=True, slots=True)
class Case:
    """The code of a case; its description is in the catalogue."""

    id: str
    act: Act
    variant: str = ""


CASES: dict[str, Case] = {}
CONTROLS: dict[str, Act] = {}


def case(name: str, *, variant: str = "") -> Callable[[Act], Act]:
    """Register a function as a case. It returns if the app withstands the attack, else it raises.

    If it returns a text, the text names a remaining weakness.

    Args:
        name: the id of the case in the catalogue.
        variant: the variant of the target that it runs on; "" for the app itself.
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
