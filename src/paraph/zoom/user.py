"""The consenting user: GET /v2/users/me, requested with the access token of the consent.

The identity of a Zoom user is account id and user id, byte for byte. E-mail address and display
name are shown to users who confirm a link and decide nothing: an address can be changed, reused
and claimed. The access token itself is never decoded; its content is Zoom's internal matter.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from paraph.errors import MessageMalformed, UsageError
from paraph.oauth.messages import Request, Response
from paraph.secret import Secret
from paraph.strict_json import parse_json_object
from paraph.zoom.api_errors import classify_api_error
from paraph.zoom.events import parse_identifier

_MAX_DEPTH = 16
_MAX_TEXT = 256

# RFC 6749 appendix A.12 allows blanks in an access token and RFC 6750 section 2.1 does not. With a
# line break the peer could inject a header.
_ACCESS_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")

# Control characters, invisible formatting, and separators of lines and paragraphs.
# The invisible ones include the bidirectional overrides that make one name look like another.
_UNSHOWABLE = frozenset({"Cc", "Cf", "Zl", "Zp"})
# Two invisible characters are part of how Persian, Hindi and other names are written.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True, slots=True)
class ZoomUser:
    """A Zoom user.

    Attributes:
        user_id, account_id: the identity, 1 to 64 printable ASCII characters each.
        email, display_name: for display, at most 256 characters; may be empty.
    """

    user_id: str = field(repr=False)
    account_id: str = field(repr=False)
    email: str = field(repr=False)
    display_name: str = field(repr=False)


def build_user_request(api_server: str, *, access_token: Secret) -> Request:
    """Build the request for the user to whom this access token belongs.

    Args:
        api_server: an origin from `api_server_for`, without a trailing slash.
        access_token: goes into the Authorization header; Zoom refuses it in the query.

    Raises:
        UsageError: the access token cannot be part of a header.
    """
    token = access_token.reveal()
    if not _ACCESS_TOKEN.fullmatch(token):
        raise UsageError("the access token has characters that no header can carry")
    return Request(
        method="GET",
        url=f"{api_server}/v2/users/me",
        headers=(("authorization", f"Bearer {token}"), ("accept", "application/json")),
        body=b"",
    )


def build_time_request(api_server: str) -> Request:
    """Build a request without a token: the refusal carries Zoom's time in its `Date`."""
    headers = (("accept", "application/json"),)
    return Request(method="GET", url=f"{api_server}/v2/users/me", headers=headers, body=b"")


def parse_user(response: Response, *, now: float | None = None) -> ZoomUser:
    """Parse the user in the response to `build_user_request`.

    Args:
        response: the response.
        now: epoch seconds, for a Retry-After in seconds; without it the response's Date is used.

    Raises:
        MessageMalformed: a 200 without a valid user.
        ResourceErrorResponse, PeerUnavailable: any other status (`classify_api_error`).
    """
    if response.status != 200:
        # Without any clock, a wait that is given in seconds counts as over.
        clock = response.date() if now is None else now
        raise classify_api_error(response, now=clock or 0.0)
    content = parse_json_object(response.body, max_depth=_MAX_DEPTH)
    user_id, account_id = content.get("id"), content.get("account_id")
    user, account = parse_identifier(user_id), parse_identifier(account_id)
    if user is None or account is None:
        raise MessageMalformed("users/me has no id or no account_id of printable ASCII")
    return ZoomUser(
        user_id=user,
        account_id=account,
        email=_clean(content.get("email")),
        display_name=_clean(content.get("display_name")),
    )


def _clean(value: object) -> str:
    """Clean a text for display: characters that cannot be shown are dropped, the rest is cut."""
    if not isinstance(value, str):
        return ""
    # Cut twice, so that the categories of a megabyte are not looked up.
    shown = (char for char in value[: 4 * _MAX_TEXT] if _shows(char))
    return "".join(shown).strip()[:_MAX_TEXT]


def _shows(char: str) -> bool:
    return char in _JOINERS or unicodedata.category(char) not in _UNSHOWABLE
