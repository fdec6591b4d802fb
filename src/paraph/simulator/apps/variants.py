"""Named variants of a message: each has a name, a line of documentation, and one function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from paraph.errors import UsageError

Draft = TypeVar("Draft")


class Variants(Generic[Draft]):
    """The variants of one kind of message.

    A variant is a function that changes a draft of the message. Its name without the leading
    underscore is the variant's name, and its docstring is the documentation.
    """

    def __init__(self) -> None:
        self._changes: dict[str, tuple[str, Callable[[Draft], None]]] = {}

    def register(self, change: Callable[[Draft], None]) -> Callable[[Draft], None]:
        """Add a variant; this is a decorator."""
        documentation = " ".join((change.__doc__ or "").split())
        self._changes[change.__name__.lstrip("_")] = documentation, change
        return change

    def documentation(self) -> dict[str, str]:
        """Return the line of documentation of each variant, by name."""
        return {name: text for name, (text, _) in self._changes.items()}

    def apply(self, variant: str, draft: Draft) -> None:
        """Change a draft.

        Args:
            variant: the name of a variant; several are joined with `+`; "" changes nothing.
            draft: the message to change.

        Raises:
            UsageError: there is no such variant.
        """
        for name in filter(None, variant.split("+")):
            if name not in self._changes:
                raise UsageError(f"there is no variant {name}: {', '.join(self._changes)}")
            self._changes[name][1](draft)
