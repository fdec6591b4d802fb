"""The responses of the service as values. All times are epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


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


def link_request_of(content: Any) -> LinkRequest:
    """Parse the response of `POST /v1/link-requests`."""
    return LinkRequest(str(content["install_url"]), int(content["expires_at"]))


def claim_of(content: Any) -> Claim:
    """Parse the response of `POST /v1/handoffs/claim`."""
    return Claim(
        claim=str(content["claim"]),
        subject=str(content["subject"]),
        zoom=_person(content["zoom"]),
        scopes=_texts(content["scopes"]),
        expires_at=int(content["expires_at"]),
        replaces=tuple(
            Replaced(
                str(one["installation_id"]),
                str(one["subject"]),
                ZoomIds(str(one["zoom"]["user_id"]), str(one["zoom"]["account_id"])),
            )
            for one in content["replaces"]
        ),
    )


def installation_of(content: Any) -> Installation:
    """Parse an installation."""
    return Installation(
        id=str(content["id"]),
        subject=str(content["subject"]),
        phase=str(content["phase"]),
        reason=str(content.get("reason", "")),
        zoom=_person(content["zoom"]),
        scopes=_texts(content["scopes"]),
        installed_at=int(content["installed_at"]),
        proofs=tuple(
            Proof(str(one["name"]), int(one["held_at"]), str(one["word"]))
            for one in content["proofs"]
        ),
    )


def installations_of(content: Any) -> Page[Installation]:
    """Parse a page of installations."""
    return Page(tuple(map(installation_of, content["installations"])), _cursor(content["next"]))


def access_token_of(content: Any) -> AccessToken:
    """Parse the response of vending an access token."""
    return AccessToken(
        access_token=str(content["access_token"]),
        token_type=str(content["token_type"]),
        expires_at=int(content["expires_at"]),
        scopes=_texts(content["scopes"]),
        api_server=str(content["api_server"]),
    )


def receipt_of(content: Any) -> Receipt:
    """Parse the response of a removal."""
    return Receipt(
        id=str(content["id"]),
        installation_id=str(content["installation_id"]),
        reason=str(content["reason"]),
        requested_at=int(content["requested_at"]),
        completed_at=int(content["completed_at"]),
        destroyed={str(name): int(count) for name, count in content["destroyed"].items()},
    )


def audit_page_of(content: Any) -> Page[AuditEntry]:
    """Parse a page of the audit."""
    entries = tuple(
        AuditEntry(
            int(one["sequence"]),
            int(one["at"]),
            str(one["action"]),
            {str(name): str(value) for name, value in one["details"].items()},
            str(one["digest"]),
        )
        for one in content["entries"]
    )
    return Page(entries, _cursor(content["next"]))


def verdict_of(content: Any) -> Verdict:
    """Parse the response of an audit verification."""
    broken_at = content["broken_at"]
    return Verdict(
        whole=bool(content["whole"]),
        entries=int(content["entries"]),
        head=str(content["head"]),
        broken_at=None if broken_at is None else int(broken_at),
        why=str(content["why"]),
    )


def _person(content: Any) -> ZoomPerson:
    return ZoomPerson(
        str(content["user_id"]),
        str(content["account_id"]),
        str(content["email"]),
        str(content["display_name"]),
    )


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, values))


def _cursor(value: Any) -> str | None:
    return None if value is None else str(value)
