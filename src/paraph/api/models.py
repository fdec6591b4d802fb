"""The request and response models of the management API, as its OpenAPI document shows them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from paraph.lifecycle.audit import ChainVerdict
from paraph.model.installation import Installation
from paraph.model.management import AuditEntry
from paraph.model.public_value import installation_value, receipt_value
from paraph.model.removal import Receipt

# No control characters: a subject is shown to operators, and some databases refuse NUL.
Subject = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]+$",
        description="The local account: an opaque text that the host chooses.",
    ),
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class LinkRequestBody(_Request):
    """The host's request to link its signed-in user."""

    subject: Subject
    challenge: str = Field(
        pattern=r"^[A-Za-z0-9_-]{43}$",
        description="S256 of a nonce that the host keeps in this user's session.",
    )
    return_to: str = Field(
        default="",
        max_length=200,
        pattern=r"^[A-Za-z0-9_.~-]*$",
        description="An identifier of the host's own, returned at the end; never a URL.",
    )


class LinkRequestResponse(BaseModel):
    """The one-use URL for the browser, and its expiry in epoch seconds."""

    install_url: str
    expires_at: int


class HandoffBody(_Request):
    """The handoff that the browser brought, and the nonce behind the challenge."""

    handoff: str = Field(min_length=1, max_length=128)
    verifier: str = Field(min_length=1, max_length=128)


class ConfirmBody(_Request):
    """A subject's confirmation; `move` also confirms the change in the claim's `replaces`."""

    subject: Subject
    move: bool = False


class UserBody(_Request):
    """A Zoom user, by both ids, byte for byte."""

    account_id: str = Field(min_length=1, max_length=64, pattern=r"^[^\s\x00]+$")
    user_id: str = Field(min_length=1, max_length=64, pattern=r"^[^\s\x00]+$")


class _Response(BaseModel):
    # The values of `paraph.values` have the same members.
    model_config = ConfigDict(from_attributes=True)


class ZoomIds(_Response):
    """A Zoom user, by ids only."""

    user_id: str
    account_id: str


class ZoomPerson(ZoomIds):
    """A Zoom user as Zoom describes them. Never match accounts by e-mail."""

    email: str
    display_name: str


class Replaced(_Response):
    """An installation that a confirmation would move or end."""

    installation_id: str
    subject: str
    zoom: ZoomIds


class Problem(BaseModel):
    """A problem document (RFC 9457): the error, and what to do about it."""

    type: str
    title: str
    status: int
    code: str = Field(description="Stable; programs may rely on it.")
    remedy: str
    reason: str = Field(default="", description="With needs_reauthorization: why.")
    reauthorize_url: str = Field(
        default="", description="With needs_reauthorization: where the user installs again."
    )
    replaces: list[Replaced] = Field(
        default_factory=list,
        description="With link_conflict: the installations that `move` would move or end.",
    )
    mend_url: str = Field(
        default="", deprecated=True, description="The name of reauthorize_url in version 0.1."
    )


class ClaimResponse(_Response):
    """Both accounts, for the host to show to its user before it confirms."""

    claim: str
    subject: str
    zoom: ZoomPerson
    scopes: list[str]
    expires_at: int
    replaces: list[Replaced]


class Proof(_Response):
    """One proof of the installation: its name, its time, and its source (paraph or host)."""

    name: str
    held_at: int
    word: str


class InstallationResponse(_Response):
    """A grant with its link."""

    id: str
    subject: str
    phase: str
    reason: str = Field(description="Why it needs a new consent; otherwise empty.")
    zoom: ZoomPerson
    scopes: list[str]
    installed_at: int
    proofs: list[Proof]


class InstallationPage(BaseModel):
    """One page of installations; `next` is the value of `after` for the next page."""

    installations: list[InstallationResponse]
    next: str | None


class AccessTokenBody(_Request):
    """The subject that the installation must have."""

    subject: str = Field(min_length=1, max_length=255, description="Must be the installation's.")


class AccessTokenResponse(BaseModel):
    """An access token, its expiry in epoch seconds, and the server that accepts it."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_at: int = Field(description="Epoch seconds.")
    scopes: list[str]
    api_server: str = Field(description="Where this token is to be sent.")


class ReceiptResponse(_Response):
    """Proof of a removal, without personal data; `destroyed` counts the deleted rows."""

    id: str
    installation_id: str
    reason: str
    requested_at: int
    completed_at: int
    destroyed: dict[str, int]


class AuditEntryResponse(BaseModel):
    """One entry of the audit chain; it names persons by keyed hashes only."""

    sequence: int
    at: int
    action: str
    details: dict[str, str]
    digest: str


class AuditPage(BaseModel):
    """One page of the audit, oldest first; `next` is the value of `after` for the next page."""

    entries: list[AuditEntryResponse]
    next: int | None


class HeadsBody(_Request):
    """Heads from your log to compare the chain with: sequence number to hex digest."""

    heads: dict[
        Annotated[str, Field(pattern=r"^[1-9][0-9]{0,17}$")],
        Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")],
    ] = Field(default_factory=dict)


class VerdictResponse(BaseModel):
    """The result of verifying the audit chain; `broken_at` is the first entry that misfits."""

    whole: bool
    entries: int
    head: str
    broken_at: int | None
    why: str


def installation_response_of(installation: Installation) -> InstallationResponse:
    """Describe an installation with its proofs; the result never contains a token."""
    return InstallationResponse.model_validate(installation_value(installation))


def receipt_response_of(receipt: Receipt) -> ReceiptResponse:
    """Describe the receipt of a removal."""
    return ReceiptResponse.model_validate(receipt_value(receipt))


def audit_response_of(entry: AuditEntry) -> AuditEntryResponse:
    """Describe an entry of the audit chain."""
    return AuditEntryResponse(
        sequence=entry.sequence,
        at=entry.at,
        action=entry.action,
        details=dict(entry.details),
        digest=entry.digest.hex(),
    )


def verdict_response_of(verdict: ChainVerdict) -> VerdictResponse:
    """Describe the result of verifying the chain."""
    return VerdictResponse(
        whole=verdict.broken_at is None,
        entries=verdict.entries,
        head=verdict.head,
        broken_at=verdict.broken_at,
        why=verdict.why,
    )
