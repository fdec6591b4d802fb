"""The shapes of the management API, as its OpenAPI document shows them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from paraph.storage.records import Installation


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class LinkRequestBody(_Request):
    """The host's wish to link its signed-in user."""

    subject: str = Field(min_length=1, max_length=255, description="The local account, opaque.")
    challenge: str = Field(
        pattern=r"^[A-Za-z0-9_-]{43}$",
        description="S256 of a nonce that the host keeps in this user's session.",
    )
    return_to: str = Field(
        default="",
        max_length=200,
        pattern=r"^[A-Za-z0-9_.~-]*$",
        description="An identifier of the host's own, handed back at the end; never a URL.",
    )


class LinkRequestAnswer(BaseModel):
    """Where to send the browser, once, until when (epoch seconds)."""

    install_url: str
    expires_at: int


class HandoffBody(_Request):
    """The handoff that the browser brought, and the nonce behind the challenge."""

    handoff: str = Field(min_length=1, max_length=128)
    verifier: str = Field(min_length=1, max_length=128)


class ConfirmBody(_Request):
    """Who said yes; `move` when they agreed to what the claim's `replaces` named."""

    subject: str = Field(min_length=1, max_length=255)
    move: bool = False


class ZoomIds(BaseModel):
    """A Zoom user by ids alone."""

    user_id: str
    account_id: str


class ZoomPerson(ZoomIds):
    """A Zoom user as Zoom describes them. Never match accounts by e-mail."""

    email: str
    display_name: str


class Replaced(BaseModel):
    """An installation that a confirmation would move or end."""

    installation_id: str
    subject: str
    zoom: ZoomIds


class ClaimAnswer(BaseModel):
    """Both accounts, for the host to show to its user before it confirms."""

    claim: str
    subject: str
    zoom: ZoomPerson
    scopes: list[str]
    expires_at: int
    replaces: list[Replaced]


class Proof(BaseModel):
    """One rung of the ladder that held, when, and whose word it is (paraph or host)."""

    name: str
    held_at: int
    word: str


class InstallationAnswer(BaseModel):
    """A grant with its link."""

    id: str
    subject: str
    phase: str
    zoom: ZoomPerson
    scopes: list[str]
    installed_at: int
    proofs: list[Proof]


class InstallationPage(BaseModel):
    """One page of installations; `next` is the `after` of the next one."""

    installations: list[InstallationAnswer]
    next: str | None


class ProblemAnswer(BaseModel):
    """What went wrong (RFC 9457), with what to do about it."""

    type: str
    title: str
    status: int
    code: str
    remedy: str


def person_of(installation: Installation) -> ZoomPerson:
    """The Zoom side of an installation."""
    grant = installation.grant
    return ZoomPerson(
        user_id=grant.identity.user_id,
        account_id=grant.identity.account_id,
        email=grant.email,
        display_name=grant.display_name,
    )


def replaced_of(installation: Installation) -> Replaced:
    """An installation that would go, by ids."""
    identity = installation.grant.identity
    return Replaced(
        installation_id=installation.link.link_id,
        subject=installation.link.subject,
        zoom=ZoomIds(user_id=identity.user_id, account_id=identity.account_id),
    )


def answer_of(installation: Installation) -> InstallationAnswer:
    """An installation with its proofs; no token is within reach of this function's result."""
    grant, link = installation.grant, installation.link
    return InstallationAnswer(
        id=link.link_id,
        subject=link.subject,
        phase=str(installation.phase.value),
        zoom=person_of(installation),
        scopes=sorted(grant.tokens.scopes),
        installed_at=link.confirmed_at or link.created_at,
        proofs=[Proof(name=r.name, held_at=r.held_at, word=r.word) for r in link.rungs],
    )
