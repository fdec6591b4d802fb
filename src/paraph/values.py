"""The values that `Zoom`, `SyncZoom`, `Client` and `AsyncClient` return.

All times are epoch seconds. Secrets are hidden in each repr.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from paraph.former_names import FormerRecord, warn_former

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """A one-use URL that starts an installation for a signed-in user.

    Attributes:
        install_url: send this user's browser there, by a redirect. It ends in a one-use code.
        expires_at: the URL can be opened until then.

    Example:
        >>> request = LinkRequest("https://app.example/install?request=c0de", 1900000000)
        >>> request
        LinkRequest(expires_at=1900000000)
    """

    install_url: str = field(repr=False)
    expires_at: int


@dataclass(frozen=True, slots=True)
class ZoomIds:
    """A Zoom user, identified by ids only.

    Attributes:
        user_id: Zoom's id of the user.
        account_id: Zoom's id of the user's account.

    Example:
        >>> ZoomIds("KDcuGIm1QgePTO8WbOqwIQ", "AbcDEFghiJKLmnoPQRst01").user_id
        'KDcuGIm1QgePTO8WbOqwIQ'
    """

    user_id: str
    account_id: str


@dataclass(frozen=True, slots=True)
class ZoomPerson:
    """A Zoom user with name and e-mail address, as Zoom gave them at the installation.

    Show them to the user. Never match accounts by e-mail address.

    Attributes:
        user_id: Zoom's id of the user.
        account_id: Zoom's id of the user's account.
        email: the e-mail address at Zoom.
        display_name: the name at Zoom.

    Example:
        >>> ZoomPerson("u1", "a1", "jane@example.com", "Jane Dev").display_name
        'Jane Dev'
    """

    user_id: str
    account_id: str
    email: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """An installation that a confirmation would move or end.

    Attributes:
        installation_id: its id.
        subject: the local account that it belongs to now.
        zoom: its Zoom user.

    Example:
        >>> Replaced("i1", "acct_41", ZoomIds("u1", "a1")).subject
        'acct_41'
    """

    installation_id: str
    subject: str
    zoom: ZoomIds


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof of an installation.

    Attributes:
        name: the name of the proof, such as "state".
        held_at: when it was checked.
        word: its source: "paraph", or "host" for what the host confirmed.

    Example:
        >>> Proof("state", 1900000000, "paraph").word
        'paraph'
    """

    name: str
    held_at: int
    word: str


@dataclass(frozen=True, slots=True)
class Installation(FormerRecord):
    """A grant of Zoom with the local account that it serves.

    Attributes:
        id: the id of the installation; it stays the same when the user installs again.
        subject: the local account.
        phase: "active", "needs_reauthorization", "undecided" or "suspended".
        reason: why it needs a new consent; otherwise empty.
        zoom: the Zoom user.
        scopes: the granted scopes, sorted.
        installed_at: when it was confirmed.
        proofs: the proofs of the installation, in order.

    Example:
        >>> jane = ZoomPerson("u1", "a1", "jane@example.com", "Jane Dev")
        >>> one = Installation("i1", "acct_42", "active", "", jane, (), 1900000000, ())
        >>> one.zoom.email
        'jane@example.com'
    """

    id: str
    subject: str
    phase: str
    reason: str
    zoom: ZoomPerson
    scopes: tuple[str, ...]
    installed_at: int
    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """Both accounts of an installation that waits for the user's confirmation.

    Show the user `zoom` and the local account, and confirm only if the user says that both are
    theirs.

    Attributes:
        claim: the one-use code for `confirm` and `decline`; keep it in the user's session.
        subject: the local account that requested the link.
        zoom: the Zoom user who consented.
        scopes: the granted scopes, sorted.
        expires_at: it can be confirmed until then.
        replaces: the installations that a confirmation would move or end. If there are any, ask
            the user, and confirm with `move=True`.

    Example:
        >>> jane = ZoomPerson("u1", "a1", "jane@example.com", "Jane Dev")
        >>> claim = Claim("c0de", "acct_42", jane, ("user:read:user",), 1900000000, ())
        >>> f"Link {claim.zoom.email} to {claim.subject}?"
        'Link jane@example.com to acct_42?'
    """

    claim: str = field(repr=False)
    subject: str
    zoom: ZoomPerson
    scopes: tuple[str, ...]
    expires_at: int
    replaces: tuple[Replaced, ...]

    @property
    def installation(self) -> Installation:
        """The former place of `zoom` and `subject`; deprecated."""
        warn_former("claim.installation", "claim.zoom and claim.subject")
        return Installation("", self.subject, "pending", "", self.zoom, self.scopes, 0, ())


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A vended access token. Request one for each use and do not store it.

    Attributes:
        access_token: the token.
        token_type: "Bearer".
        expires_at: when Zoom ends it.
        scopes: the granted scopes, sorted.
        api_server: the URL of the server that the token is for. Send it nowhere else.

    Example:
        >>> token = AccessToken("t0ken", "Bearer", 1900000000, (), "https://api.zoom.us")
        >>> "t0ken" in repr(token)
        False
    """

    access_token: str = field(repr=False)
    token_type: str
    expires_at: int
    scopes: tuple[str, ...]
    api_server: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of a removal, without personal data.

    Attributes:
        id: the id of the receipt.
        installation_id: the id of the removed installation.
        reason: why it was removed.
        requested_at: when the removal was requested.
        completed_at: when the tokens were destroyed.
        destroyed: the number of deleted rows of each kind.

    Example:
        >>> Receipt("r1", "i1", "removed by the host", 1, 1, {"grants": 1}).destroyed["grants"]
        1
    """

    id: str
    installation_id: str
    reason: str
    requested_at: int
    completed_at: int
    destroyed: Mapping[str, int]

    @property
    def receipt_id(self) -> str:
        """The former name of `id`; deprecated."""
        warn_former("receipt_id", "id")
        return self.id


@dataclass(frozen=True, slots=True)
class ZoomResponse:
    """A response of Zoom's REST API, with any status.

    Attributes:
        status: the HTTP status code.
        headers: names in lower case.
        body: the complete body.

    Example:
        >>> response = ZoomResponse(429, {"retry-after": "7"}, b'{"code": 429}')
        >>> response.json()["code"], response.retry_after
        (429, 7)
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Parse the body as JSON.

        Raises:
            ValueError: the body is not JSON.

        Example:
            >>> ZoomResponse(200, {}, b'{"id": "u1"}').json()
            {'id': 'u1'}
        """
        return json.loads(self.body)

    @property
    def retry_after(self) -> int | None:
        """The seconds to wait after 429 or 503; None if Zoom did not say."""
        value = self.headers.get("retry-after", "")
        return int(value) if value.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; `next` is the cursor of the next page, None on the last.

    Example:
        >>> Page((1, 2), None).items
        (1, 2)
    """

    items: tuple[Item, ...]
    next: str | None
