"""A browser for tests, with a browser's rules for cookies, addresses and forms.

`paraph check` uses these rules as well, so `Browser` is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paraph.extras import needs

if TYPE_CHECKING:
    from paraph.simulator.browser.browser import Browser

__all__ = ["Browser"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with needs("simulator", f"{__name__}.{name}"):
        from paraph.simulator.browser.browser import Browser

        return Browser
