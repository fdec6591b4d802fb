"""The base class of every exception."""

from __future__ import annotations

from typing import ClassVar

from paraph.former_names import FormerProblem


class ParaphError(FormerProblem):
    """The base class. It is never raised itself.

    Args:
        detail: the cause, for operators. It never holds a secret, a code or a token.
        remedy: the next step, if the raising code knows better than the class.

    Attributes:
        code: the stable name of the error, such as "not_found".
        status: the HTTP status that fits; the management API responds with it.
        public_message: a sentence that a browser may show.
        retry_after: seconds to wait before the next try; None if they are unknown.

    Example:
        >>> error = ParaphError("the disk is full", remedy="Free some space.")
        >>> str(error), error.remedy, error.public_message
        ('the disk is full', 'Free some space.', 'Something went wrong.')
    """

    code: ClassVar[str] = "error"
    status: int = 500
    retry_after: int | None = None
    public_message: ClassVar[str] = "Something went wrong."
    default_remedy: ClassVar[str] = "Try again; if the error persists, look at the log."

    # Stored only where they are given, and chosen when they are read: a flood raises thousands a
    # second and reads none.
    _detail: str = ""
    _remedy: str = ""

    def __init__(self, detail: str = "", *, remedy: str = "") -> None:
        if detail:
            self._detail = detail
        if remedy:
            self._remedy = remedy

    @property
    def detail(self) -> str:
        """The cause, for operators."""
        return self._detail or self.public_message

    @property
    def remedy(self) -> str:
        """The next step."""
        return self._remedy or self.default_remedy

    def __str__(self) -> str:
        return self.detail
