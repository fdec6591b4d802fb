"""Finds scopes that Zoom never grants to an app of a level.

An app that its users add has only user scopes, one that an administrator adds has only `:admin`
forms, and Zoom refuses a mixture. Only certain cases are reported: scopes of families with an
`:admin` form. Others, such as `zoomapp:inmeeting` and `imchat:bot`, may be granted at any level.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

_WIDER = (":admin", ":master")
# Scopes with these prefixes exist in both forms, classic (`meeting:read`) and granular.
_WITH_ADMIN_FORM = ("user:", "meeting:", "webinar:", "recording:", "cloud_recording:")


def never_granted(scopes: Iterable[str], *, level: Literal["user", "account"]) -> Iterator[str]:
    """Yield one sentence about each required scope that can never be granted.

    Args:
        scopes: names of scopes.
        level: the setting `level`.
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
