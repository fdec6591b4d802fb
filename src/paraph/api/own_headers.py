"""Request headers that only this API defines, and the calls that must not carry them.

A header that binds a call to a subject is refused on every call that does not read it. Otherwise
the caller would rely on a check that does not happen. A client library that rewrites a path causes
this: a bound call of Zoom's API becomes another call.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import JSONResponse

from paraph.api.problem import MALFORMED, problem_answer

SUBJECT_HEADER = b"paraph-subject"
ANSWER_HEADER = b"paraph-answer"
_OWN = frozenset({SUBJECT_HEADER, ANSWER_HEADER})


def holds_own_header(names: Iterable[bytes]) -> bool:
    """Return true if one of the names, in lower case, is a header that this API defines."""
    return not _OWN.isdisjoint(names)


def misplaced() -> JSONResponse:
    """Return the response to a call with such a header outside the proxy."""
    return problem_answer(
        MALFORMED,
        remedy="paraph-subject binds calls below …/zoom/ only: leave it out of other calls, "
        "and check that nothing has changed the path of this one.",
    )
