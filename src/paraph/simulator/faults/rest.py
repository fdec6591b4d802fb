"""Faults of the REST API: availability, transport, and wrong profiles at users/me."""

from __future__ import annotations

from paraph.simulator.faults.transport import bomb, captive_portal, pad, redirect
from paraph.simulator.response import ResponseDraft
from paraph.simulator.state.fault_registry import check, fault

check("user_of_another", "users/me describes another user of the world.")
check(
    "api_rate_limited",
    "Every resource responds 429 for the calls of one second, with X-RateLimit-Reset.",
)
check(
    "api_daily_limit",
    "Every resource responds 429 for the calls of one day; Retry-After is an ISO 8601 date.",
)
check(
    "api_concurrency_limit",
    "Every resource responds 429 for too many calls at once, without a header.",
)
check("scopes_not_checked", "The API does not check the scopes of the token.")


# These apply before any resource is read.
@fault("api_refusal")
def api_unavailable(response: ResponseDraft, *, status: int = 503) -> None:
    """Every resource responds `status`."""
    response.replace(status, b"{}", "application/json")


@fault("api_refusal")
def api_slow(response: ResponseDraft, *, seconds: float = 60.0) -> None:
    """Every resource responds after `seconds`."""
    response.delay += seconds


@fault("api_refusal")
def api_token_expired(response: ResponseDraft) -> None:
    """Every resource says that the access token is expired."""
    _refused(response, 401, 124, "Access token is expired.")


@fault("user")
def user_unavailable(response: ResponseDraft, *, status: int = 503) -> None:
    """users/me responds `status`."""
    response.replace(status, b"{}", "application/json")


@fault("user")
def user_unauthorized(response: ResponseDraft) -> None:
    """users/me responds 401 with code 124."""
    _refused(response, 401, 124, "Invalid access token.")


@fault("user")
def user_forbidden(response: ResponseDraft) -> None:
    """users/me responds 403."""
    _refused(response, 403, 200, "No permission.")


@fault("user")
def user_html(response: ResponseDraft) -> None:
    """users/me responds 200 with an HTML page."""
    captive_portal(response)


@fault("user")
def user_slow(response: ResponseDraft, *, seconds: float = 60.0) -> None:
    """users/me responds after `seconds`."""
    response.delay += seconds


@fault("user")
def user_drip(response: ResponseDraft, *, seconds: float = 1.0) -> None:
    """users/me responds byte by byte, `seconds` apart."""
    response.drip = seconds


@fault("user")
def user_cut(response: ResponseDraft) -> None:
    """users/me closes the connection without a response."""
    response.cut = True


@fault("user")
def user_huge(response: ResponseDraft, *, mebibytes: int = 2) -> None:
    """The profile is followed by `mebibytes` of white space."""
    pad(response, mebibytes)


@fault("user")
def user_bomb(response: ResponseDraft, *, mebibytes: int = 50) -> None:
    """The profile is compressed, and expands to `mebibytes`."""
    bomb(response, mebibytes)


@fault("user")
def user_redirect(
    response: ResponseDraft, *, status: int = 302, location: str = "http://127.0.0.1:9/"
) -> None:
    """users/me redirects, with `status`, to `location`."""
    redirect(response, status, location)


@fault("user")
def user_garbage(response: ResponseDraft) -> None:
    """users/me responds 200 with bytes that are not text."""
    response.replace(200, b"\xff\xfe\x00{]\x80", "application/json")


@fault("user")
def user_without_id(response: ResponseDraft) -> None:
    """users/me leaves out the user's id."""
    response.drop("id")


@fault("user")
def user_id_empty(response: ResponseDraft) -> None:
    """users/me says that the user's id is empty."""
    response.change(id="")


@fault("user")
def user_id_number(response: ResponseDraft) -> None:
    """users/me says that the user's id is a number."""
    response.change(id=4711)


@fault("user")
def user_id_other_case(response: ResponseDraft) -> None:
    """users/me names an id that differs from the user's in case only."""
    content = response.content() or {}
    response.change(id=str(content.get("id", "")).swapcase())


@fault("user")
def user_id_twin(response: ResponseDraft) -> None:
    """users/me names an id that differs from the user's until Unicode is normalized (NFKC)."""
    content = response.content() or {}
    # The full-width forms have the same order as ASCII, at an offset of 0xFEE0.
    first, rest = str(content.get("id", ""))[:1], str(content.get("id", ""))[1:]
    response.change(id=(chr(ord(first) + 0xFEE0) if "!" <= first <= "~" else first) + rest)


@fault("user")
def user_id_padded(response: ResponseDraft) -> None:
    """users/me has a space behind the user's id."""
    content = response.content() or {}
    response.change(id=f"{content.get('id', '')} ")


@fault("user")
def user_without_account(response: ResponseDraft) -> None:
    """users/me leaves out the account's id."""
    response.drop("account_id")


@fault("user")
def user_other_account(
    response: ResponseDraft, *, account_id: str = "AnotherAccountOfZoom01"
) -> None:
    """users/me names another account."""
    response.change(account_id=account_id)


@fault("user")
def user_same_email(
    response: ResponseDraft,
    *,
    email: str = "jane@example.com",
    user_id: str = "AnotherUserSameEmail01",
) -> None:
    """users/me describes user `user_id` with the e-mail address of another user."""
    response.change(id=user_id, account_id="AnotherAccountOfZoom01", email=email)


@fault("user")
def user_verified_absent(response: ResponseDraft) -> None:
    """users/me does not state whether the e-mail address was verified."""
    response.drop("verified")


@fault("user")
def user_unverified(response: ResponseDraft) -> None:
    """users/me says that the e-mail address is not verified."""
    response.change(verified=0)


@fault("user")
def user_hostile_name(
    response: ResponseDraft, *, name: str = "<script>alert(1)</script>\u202e"
) -> None:
    """The display name contains markup, and reverses the direction of reading."""
    response.change(display_name=name)


@fault("user")
def user_half_character(response: ResponseDraft) -> None:
    """Names and department end in half a character: a lone surrogate, as an escape."""
    response.change(display_name="Jane \ud83d", last_name="\ud83d", dept="\udc4d Team")


@fault("user")
def user_error_half_character(response: ResponseDraft) -> None:
    """users/me responds 401 with a message that ends in half a character."""
    _refused(response, 401, 124, "Invalid access token of Jane \ud83d")


@fault("user")
def user_long_name(response: ResponseDraft, *, length: int = 10_000) -> None:
    """The display name has `length` characters."""
    response.change(display_name="x" * min(max(length, 0), 1 << 20))


def _refused(response: ResponseDraft, status: int, code: int, message: str) -> None:
    response.replace_json(status, {"code": code, "message": message})
