"""The public part of each exception, for all endpoints.

An endpoint shows `problem_of(error)` and no other part of an exception,
so that no detail meant for operators can reach a browser.
"""

from __future__ import annotations

from dataclasses import dataclass

from paraph import errors


@dataclass(frozen=True, slots=True)
class Problem:
    """The public part of an error (the members of RFC 9457)."""

    status: int
    code: str
    title: str
    remedy: str


def problem_of(error: errors.ParaphError) -> Problem:
    """Return the public part of an error."""
    return Problem(error.status, error.code, error.public_message, error.remedy)
