"""A string that shows itself only on request.

Code that prints, logs or serialises a `Secret` gets asterisks or an error. So every disclosure
is a call that a reader can search for: `.reveal()`.
"""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """A client secret, token, code, state, verifier or key in text form.

    Comparison takes constant time. It has no hash and no length, and cannot be pickled.

    Example:
        >>> secret = Secret("zm-7hTq2LwX9fKd")
        >>> print(secret)
        Secret(***)
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the one place that must send or store it.

        Example:
            >>> Secret("zm-7hTq2LwX9fKd").reveal()
            'zm-7hTq2LwX9fKd'
        """
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

    __hash__ = None  # type: ignore[assignment]  # A dictionary compares its keys in variable time.

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied; reveal it on purpose")
