"""A string that shows itself only on request.

Anything that prints, logs, compares for equality or serialises a `Secret` gets stars or an error,
so that leaking one takes a call that a reader can search for: `.reveal()`.
"""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """A client secret, token, code, state, verifier or key in text form.

    Equality is constant-time on bytes. Not hashable, not picklable, no length.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that must send or store it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._text.encode("utf-8", "surrogatepass"),
            other._text.encode("utf-8", "surrogatepass"),
        )

    __hash__ = None  # type: ignore[assignment]  # A dictionary key would be compared in variable time.

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied by machinery; reveal it on purpose")
