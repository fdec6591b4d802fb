"""A simulated Zoom on localhost. It shares no protocol code with the service.

`paraph.SimulatedZoom` runs it in a program; its `browser()` returns a `Browser`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paraph.simulator.browser.browser import Browser

__all__ = ["Browser"]


def __getattr__(name: str) -> Any:
    """Load a public name at its first use: the modules here are imported without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from paraph.extras import needs

    with needs("simulator", f"{__name__}.{name}"):
        from paraph.simulator.browser.browser import Browser

    return Browser
