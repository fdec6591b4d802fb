"""The values that an install returns: the redirect at its start, and its result."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof of an installation.

    Attributes:
        name: the name of the proof, such as "state".
        held_at: when it was checked, in epoch seconds.
        word: its source: "paraph".
    """

    name: str
    held_at: int
    word: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """The start of an install: send it as a redirect with status 303.

    Attributes:
        location: the URL of Zoom's page.
        set_cookie: the value of the `Set-Cookie` header that recognises this browser later.
        set_cookies: the values of all `Set-Cookie` headers: the one above, and those that delete
            the browser's oldest flows. Only `start(cookies=...)` knows the latter.
    """

    location: str = field(repr=False)
    set_cookie: str = field(repr=False)
    set_cookies: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a Zoom user. Store them encrypted.

    Attributes:
        access_token: sent to Zoom's API as `Authorization: Bearer ...`.
        refresh_token: valid for one use; None if Zoom sent none.
        expires_at: the time at which the access token ends, in epoch seconds.
        scopes: the granted scopes, sorted.
        api_server: the allowed host that these tokens are for, like `https://api.zoom.us`.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: int
    scopes: tuple[str, ...]
    api_server: str


@dataclass(frozen=True, slots=True)
class Owner:
    """The Zoom user that a token set belongs to.

    Attributes:
        user_id, account_id: the identity; compare both, byte for byte.
        email, display_name: to show to people. An address can be changed and decides nothing.
    """

    user_id: str
    account_id: str
    email: str
    display_name: str


@dataclass(frozen=True, slots=True)
class InstallResult:
    """A finished install.

    Attributes:
        user_id, account_id: the Zoom user; compare both, byte for byte.
        email, display_name: to show to people. An address can be changed and decides nothing.
        scopes: the granted scopes, sorted.
        tokens: the tokens of this user. They have replaced all older ones of the same user.
        subject, return_to: the arguments of `InstallFlow.start`.
        proofs: the proofs of the install, in their order, each with its time.
        set_cookie: the value of a `Set-Cookie` header that deletes the cookie of this flow.
    """

    user_id: str
    account_id: str
    email: str
    display_name: str
    scopes: tuple[str, ...]
    tokens: Tokens
    subject: str
    return_to: str
    proofs: tuple[Proof, ...]
    set_cookie: str = field(repr=False)
