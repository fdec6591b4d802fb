"""The arguments of `Zoom` in version 0.1, which work for one more version."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from paraph.calls.asynchronous import AsyncCalls
from paraph.former_names import warn_former

P = ParamSpec("P")
R = TypeVar("R")
_Call = Callable[P, Coroutine[Any, Any, R]]


def _accept_verifier(method: _Call[P, R]) -> _Call[P, R]:
    @wraps(method)
    async def claim(*args: P.args, **more: P.kwargs) -> R:
        if "verifier" in more:
            warn_former("claim(verifier=...)", "claim(nonce=...)")
            more["nonce"] = more.pop("verifier")
        return await method(*args, **more)

    return claim


def _accept_challenge(method: _Call[P, R]) -> _Call[P, R]:
    @wraps(method)
    async def request_link(*args: P.args, **more: P.kwargs) -> R:
        if "challenge" not in more:
            return await method(*args, **more)
        warn_former("request_link(challenge=...)", "request_link(nonce=...).install_url")
        calls: Any = args[0]
        subject: Any = args[1] if len(args) > 1 else more.pop("subject")
        challenge, return_to = more.pop("challenge"), more.pop("return_to", "")
        request = await calls._backend.request_link(subject, challenge, return_to)  # noqa: SLF001
        # In version 0.1 it was the URL alone.
        return cast("R", request.install_url)

    return request_link


class FormerCalls(AsyncCalls):
    """The calls of `Zoom`, with the arguments of version 0.1 as well."""

    request_link = _accept_challenge(AsyncCalls.request_link)
    claim = _accept_verifier(AsyncCalls.claim)
