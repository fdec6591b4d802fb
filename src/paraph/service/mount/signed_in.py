"""The signed-in account of a host: one rule for what its functions may return.

An answer that names no account must never become the name of one: all visitors who are not signed
in would share it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from inspect import isawaitable, iscoroutinefunction
from typing import Any
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import Scope

from paraph.errors import UsageError

SUBJECT_KEY = "paraph.subject"
LABEL_KEY = "paraph.label"
# The texts of the values that hosts keep where no person is signed in.
_NO_ACCOUNT = frozenset({"None", "False", "0", "AnonymousUser"})

SubjectOf = Callable[[Request], Any]
"""Takes the request, and returns the signed-in local account or None; may be asynchronous."""

# The standard logging module, as hosts configure it: tracebacks belong in the host's own log.
_host_log = logging.getLogger("paraph.handlers")


@dataclass(frozen=True, slots=True)
class HostSide:
    """The host's part of the built-in pages.

    Attributes:
        subject_of: names the signed-in local account; None if the host has pages of its own.
        label_of: names that account as its user knows it; by default the subject is shown.
        sign_in_url: the host's sign-in page, which returns to the URL in its parameter `next`.
        after_install: the host's page after an installation.
        after_failure: the host's page after a refusal by the person.
    """

    subject_of: SubjectOf | None = None
    label_of: SubjectOf | None = None
    sign_in_url: str = ""
    after_install: str = ""
    after_failure: str = ""


def subject_text(answer: object) -> str | None:
    """Return the account that a host's function names; None if no person is signed in.

    Args:
        answer: what the function returned. None, False and "" name no account. An int or a UUID
            is the account of that text.

    Raises:
        UsageError: it is of another type, such as True or a user object. Or it is 0 or the text of
            a value that names no account, such as "None".

    Example:
        >>> subject_text(42), subject_text(False)
        ('42', None)
    """
    if answer is None or answer is False or answer == "":
        return None
    is_plain = isinstance(answer, str | int | UUID) and not isinstance(answer, bool)
    if is_plain and str(answer) not in _NO_ACCOUNT:
        return str(answer)
    remedy = "Return the id of the account, such as user.id, or None if no person is signed in."
    kind = f"{answer!r}" if is_plain else type(answer).__name__
    _host_log.error("subject_of returned %s, which names no account. %s", kind, remedy)
    raise UsageError(f"subject_of returned {kind}, which names no account", remedy=remedy)


async def signed_in_subject(host: HostSide, scope: Scope) -> str | None:
    """Return the signed-in local account of a request; None if no user is signed in.

    Raises:
        UsageError: the host's function returned something that is no account.
    """
    return subject_text(await _named(scope, SUBJECT_KEY, host.subject_of))


async def signed_in_label(host: HostSide, scope: Scope, subject: str) -> str:
    """Return the name of the signed-in account as its user knows it; by default the subject."""
    return str(await _named(scope, LABEL_KEY, host.label_of) or subject)


async def _named(scope: Scope, key: str, ask: SubjectOf | None) -> object:
    """Return the value that a bridge has put into the scope, else ask the host's function."""
    if key in scope:
        return scope[key]
    if ask is None:
        return None
    # The function gets no way to read the body, which it could use up.
    try:
        if iscoroutinefunction(ask):
            answer = ask(Request(scope))
        else:
            answer = await run_in_threadpool(ask, Request(scope))
        return await answer if isawaitable(answer) else answer
    except Exception:
        _host_log.exception("%s failed", getattr(ask, "__qualname__", "subject_of"))
        raise
