"""The verdict of a case, and what was recorded for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """The four possible results of a case."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not-applicable"


class CaseEndedError(Exception):
    """Ends a case early; the subclass decides the verdict.

    Args:
        reason: the observation, as one line.
        fix: the change in the target file or in the app that lets the case go on.
    """

    verdict = Verdict.INCONCLUSIVE

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.reason, self.fix = reason, fix


class ExpectationFailedError(CaseEndedError):
    """The app did something forbidden, or failed to do something required: the case fails."""

    verdict = Verdict.FAIL


class ControlFailedError(CaseEndedError):
    """The app refuses even a valid request, so its refusals prove nothing: inconclusive."""


class HookMissingError(CaseEndedError):
    """The target lacks something that the case needs: not applicable."""

    verdict = Verdict.NOT_APPLICABLE


@dataclass(slots=True)
class Finding:
    """The result of one case, with its evidence."""

    id: str
    group: str
    severity: str
    verdict: Verdict
    reason: str = ""
    evidence: list[str] = field(default_factory=list)
    seconds: float = 0.0
