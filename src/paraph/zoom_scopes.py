"""Scopes that Zoom never grants to an app of a level.

An app that its users add has user scopes alone, one that an administrator adds has the `:admin`
forms alone, and Zoom refuses a mixture. Only what is certain is told: scopes of families that have
an `:admin` form. Others, such as `zoomapp:inmeeting` and `imchat:bot`, may be granted at any level.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

_WIDER = (":admin", ":master")
# Both forms exist of every scope that begins so, classic (`meeting:read`) and granular.
_WITH_ADMIN_FORM = ("user:", "meeting:", "webinar:", "recording:", "cloud_recording:")


def never_granted(scopes: Iterable[str], *, level: Literal["user", "account"]) -> Iterator[str]:
    """One sentence about each required scope that can never be granted.

    Args:
        scopes: names of scopes.
        level: as the setting.
    """
    for scope in sorted(scopes):
        if level == "user" and scope.endswith(_WIDER):
            plain = scope.rpartition(":")[0]
            yield (
                f"required_scopes names {scope}, which Zoom never grants to an app that its users "
                f'add: write {plain}, or set level = "account"'
            )
        elif (
            level == "account" and scope.startswith(_WITH_ADMIN_FORM) and not scope.endswith(_WIDER)
        ):
            yield (
                f"required_scopes names {scope}, which Zoom never grants to an app that an "
                f'administrator adds: write {scope}:admin, or set level = "user"'
            )
