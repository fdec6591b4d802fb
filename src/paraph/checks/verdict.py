"""How a case ends, and what was recorded on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """The four ways; nothing else is ever reported."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not-applicable"


class CaseEndedError(Exception):
    """A case has come to its verdict before its last line."""

    verdict = Verdict.INCONCLUSIVE

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ExpectationFailedError(CaseEndedError):
    """The app did what it must not do, or did not do what it must."""

    verdict = Verdict.FAIL


class ControlFailedError(CaseEndedError):
    """The app does not even do what is allowed, so that refusing proves nothing."""


class HookMissingError(CaseEndedError):
    """The case needs something that the target does not have."""

    verdict = Verdict.NOT_APPLICABLE


@dataclass(slots=True)
class Finding:
    """One case and what came of it."""

    id: str
    group: str
    severity: str
    verdict: Verdict
    reason: str = ""
    evidence: list[str] = field(default_factory=list)
    seconds: float = 0.0
