"""Handles that also work as the value which `installation(id)` returned in version 0.1.

There the argument was an id, and the call returned the installation itself. Here a handle fetches
it when its former use shows: at `await`, or at an attribute of the value.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import fields
from typing import Any

from paraph.calls.arguments import id_segment
from paraph.calls.asynchronous_handle import AsyncInstallationHandle
from paraph.calls.synchronous_handle import InstallationHandle
from paraph.former_names import warn_former
from paraph.values import Installation

_OLD, _NEW = "installation(id) as a value", "installation(installation_id=id).status()"
_FIELDS = frozenset(one.name for one in fields(Installation))


class AsyncFormerHandle(AsyncInstallationHandle):
    """A handle that can be awaited, as the coroutine of version 0.1."""

    def __await__(self) -> Generator[Any, None, Installation]:
        warn_former(_OLD, _NEW)
        return self._backend().get(id_segment(self._subject)).__await__()


class FormerHandle(InstallationHandle):
    """A handle with the attributes of the value of version 0.1."""

    _value: Installation | None = None

    def __getattr__(self, name: str) -> Any:
        if name not in _FIELDS:
            raise AttributeError(f"an installation handle has no attribute {name!r}")
        warn_former(f"installation(id).{name}", f"{_NEW}.{name}")
        if self._value is None:
            self._value = self._backend().get(id_segment(self._subject))
        return getattr(self._value, name)
