"""The responses of the service as values. All times are epoch seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from functools import cache, partial
from types import UnionType
from typing import Any, Generic, TypeVar, cast, get_args, get_origin, get_type_hints

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """The URL to which the browser of the signed-in user is sent, once."""

    install_url: str = field(repr=False)
    expires_at: int


@dataclass(frozen=True, slots=True)
class ZoomIds:
    """A Zoom user, identified by ids only."""

    user_id: str
    account_id: str


@dataclass(frozen=True, slots=True)
class ZoomPerson:
    """A Zoom user with name and e-mail address. Never match accounts by e-mail address."""

    user_id: str
    account_id: str
    email: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """An installation that a confirmation would move or end."""

    installation_id: str
    subject: str
    zoom: ZoomIds


@dataclass(frozen=True, slots=True)
class Claim:
    """Both accounts; show them to the signed-in user for confirmation."""

    claim: str = field(repr=False)
    subject: str
    zoom: ZoomPerson
    scopes: tuple[str, ...]
    expires_at: int
    replaces: tuple[Replaced, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof of an installation, its time, and who vouches for it (paraph or host)."""

    name: str
    held_at: int
    word: str


@dataclass(frozen=True, slots=True)
class Installation:
    """A grant and the subject that it serves. `reason` says why it needs a new consent."""

    id: str
    subject: str
    phase: str
    reason: str
    zoom: ZoomPerson
    scopes: tuple[str, ...]
    installed_at: int
    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A vended access token; request one for each use. Its repr hides the token."""

    access_token: str = field(repr=False)
    token_type: str
    expires_at: int
    scopes: tuple[str, ...]
    api_server: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of a removal."""

    id: str
    installation_id: str
    reason: str
    requested_at: int
    completed_at: int
    destroyed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry of the audit chain."""

    sequence: int
    at: int
    action: str
    details: Mapping[str, str]
    digest: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of verifying the audit chain."""

    whole: bool
    entries: int
    head: str
    broken_at: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; `next` is the cursor of the next page, None on the last."""

    items: tuple[Item, ...]
    next: str | None


def parser(kind: type[Value]) -> Callable[[Any], Value]:
    """Return the function that builds a value from JSON with members named like its fields.

    Members without a field are ignored, because a newer service may send more. The function raises
    KeyError, TypeError or ValueError if a member is missing or has another type.
    """
    return partial(_build, kind)


def installation_of(content: Any) -> Installation:
    """Parse an installation. A service of version 0.1 sends no `reason`."""
    return _build(Installation, {"reason": "", **content})


def installations_of(content: Any) -> Page[Installation]:
    """Parse a page of installations."""
    return Page(tuple(map(installation_of, content["installations"])), _cursor(content["next"]))


def audit_page_of(content: Any) -> Page[AuditEntry]:
    """Parse a page of the audit."""
    entries = tuple(_build(AuditEntry, one) for one in content["entries"])
    return Page(entries, _cursor(content["next"]))


def _build(kind: type[Value], content: Any) -> Value:
    hints = _hints(cast("Any", kind))
    return kind(**{name: _value(hint, content[name]) for name, hint in hints.items()})


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, content: Any) -> Any:
    if isinstance(hint, type) and is_dataclass(hint):
        return _build(hint, content)
    kind, arguments = get_origin(hint), get_args(hint)
    if kind is tuple:
        return tuple(_value(arguments[0], one) for one in content)
    if kind is Mapping:
        return {str(name): _value(arguments[1], one) for name, one in content.items()}
    if kind is UnionType:
        return None if content is None else _value(arguments[0], content)
    return hint(content)


def _cursor(value: Any) -> str | None:
    return None if value is None else str(value)
