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


class Change(StrEnum):
    """The result of a case compared with an earlier report."""

    NEW = "new"
    UNCHANGED = "unchanged"
    FIXED = "fixed"


@dataclass(slots=True)
class Finding:
    """The result of one case, with its evidence.

    Attributes:
        change: the comparison with an earlier report; None if there is nothing to compare.
        known_until: the last day, as YYYY-MM-DD, on which the baseline excuses this finding.
        known_reason: the baseline's reason.
    """

    id: str
    group: str
    severity: str
    verdict: Verdict
    reason: str = ""
    evidence: list[str] = field(default_factory=list)
    seconds: float = 0.0
    change: Change | None = None
    known_until: str = ""
    known_reason: str = ""

    def counts(self, verdict: Verdict) -> bool:
        """Return True if the finding has this verdict and the baseline does not excuse it."""
        return self.verdict is verdict and not self.known_until
