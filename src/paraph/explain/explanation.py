"""An explanation: the outcome of each step, notes, and lines that are safe for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from paraph.errors import PeerError
from paraph.visible_text import visible


class Outcome(StrEnum):
    """The outcome of one step."""

    HELD = "held"
    REFUSED = "refused"
    SKIPPED = "skipped"


class Step(Protocol):
    """A step in checking any kind of request."""

    @property
    def name(self) -> str:
        """A short, stable name."""

    @property
    def proves(self) -> str:
        """The fact that holds once the step has passed."""


@dataclass(frozen=True, slots=True)
class FirstStep:
    """A check of the request itself, before anything in it is verified."""

    name: str
    proves: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One step and its outcome.

    Attributes:
        detail: the reason of a refusal.
    """

    step: Step
    outcome: Outcome
    detail: str = ""


@dataclass(slots=True)
class Explanation:
    """The findings, step by step.

    Attributes:
        notes: whole sentences for the reader.
    """

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_accepted(self) -> bool:
        """Return true if no step refused the request."""
        return all(one.outcome is not Outcome.REFUSED for one in self.findings)

    def lines(self) -> Iterator[str]:
        """Yield one line for each step and note, and the result, without control characters."""
        for one in self.findings:
            text = {
                Outcome.HELD: f": {one.step.proves}",
                Outcome.REFUSED: f": {one.detail}",
                Outcome.SKIPPED: "",
            }[one.outcome]
            yield visible(f"{one.outcome.value:<9} {one.step.name}{text}")
        for note in self.notes:
            yield visible(f"note      {note}")
        yield f"result: {'accepted' if self.is_accepted else 'refused'}"


class NotTheRequest(PeerError):
    """The capture is not a request of the endpoint."""

    code = "other_request"


def run_steps(
    steps: Sequence[Step],
    check: Callable[[], None],
    step_of: Callable[[PeerError], Step | None],
) -> list[Finding]:
    """Run the real check, and derive from its error the step at which it stopped.

    Args:
        steps: all steps, in the order of the check.
        check: raises `PeerError` if the request is refused.
        step_of: returns the step that raised an error; None for the first one.
    """
    failed: Step | None = None
    detail = ""
    try:
        check()
    except PeerError as error:
        failed, detail = step_of(error) or steps[0], error.detail
    findings: list[Finding] = []
    reached = True
    for step in steps:
        if step is failed:
            findings.append(Finding(step, Outcome.REFUSED, detail))
            reached = False
        else:
            findings.append(Finding(step, Outcome.HELD if reached else Outcome.SKIPPED))
    return findings
