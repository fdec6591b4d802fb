"""Faults of the REST API: availability, transport, and whose profile users/me describes."""

from __future__ import annotations

from paraph.simulator.faults.transport import bomb, pad, page, redirect
from paraph.simulator.response import Answer
from paraph.simulator.state.fault_registry import check, fault

check("user_of_another", "users/me describes another user of the world.")
check(
    "api_rate_limited",
    "Every resource answers 429 for the calls of one second: X-RateLimit-Reset says when.",
)
check(
    "api_daily_limit",
    "Every resource answers 429 for the calls of one day: Retry-After is an ISO 8601 date.",
)
check("api_concurrency_limit", "Every resource answers 429: too many calls at once, no header.")
check("scopes_not_checked", "The API answers whatever the token's scopes.")


# These apply before any resource is read.
@fault("api_refusal")
def api_unavailable(answer: Answer, *, status: int = 503) -> None:
    """Every resource answers `status`."""
    answer.replace(status, b"{}", "application/json")


@fault("api_refusal")
def api_slow(answer: Answer, *, seconds: float = 60.0) -> None:
    """Every resource answers after `seconds`."""
    answer.delay += seconds


@fault("api_refusal")
def api_token_expired(answer: Answer) -> None:
    """Every resource says that the access token is expired."""
    _refused(answer, 401, 124, "Access token is expired.")


@fault("user")
def user_unavailable(answer: Answer, *, status: int = 503) -> None:
    """users/me answers `status`."""
    answer.replace(status, b"{}", "application/json")


@fault("user")
def user_unauthorized(answer: Answer) -> None:
    """users/me answers 401 with code 124."""
    _refused(answer, 401, 124, "Invalid access token.")


@fault("user")
def user_forbidden(answer: Answer) -> None:
    """users/me answers 403."""
    _refused(answer, 403, 200, "No permission.")


@fault("user")
def user_html(answer: Answer) -> None:
    """users/me answers 200 with an HTML page."""
    page(answer)


@fault("user")
def user_slow(answer: Answer, *, seconds: float = 60.0) -> None:
    """users/me answers after `seconds`."""
    answer.delay += seconds


@fault("user")
def user_drip(answer: Answer, *, seconds: float = 1.0) -> None:
    """users/me answers byte by byte, `seconds` apart."""
    answer.drip = seconds


@fault("user")
def user_cut(answer: Answer) -> None:
    """users/me closes the connection without an answer."""
    answer.cut = True


@fault("user")
def user_huge(answer: Answer, *, mebibytes: int = 2) -> None:
    """The profile is followed by `mebibytes` of white space."""
    pad(answer, mebibytes)


@fault("user")
def user_bomb(answer: Answer, *, mebibytes: int = 50) -> None:
    """The profile is compressed, and `mebibytes` large when it is not."""
    bomb(answer, mebibytes)


@fault("user")
def user_redirect(
    answer: Answer, *, status: int = 302, location: str = "http://127.0.0.1:9/"
) -> None:
    """users/me redirects, with `status`, to `location`."""
    redirect(answer, status, location)


@fault("user")
def user_garbage(answer: Answer) -> None:
    """users/me answers 200 with bytes that are no text."""
    answer.replace(200, b"\xff\xfe\x00{]\x80", "application/json")


@fault("user")
def user_without_id(answer: Answer) -> None:
    """users/me leaves out the user's id."""
    answer.drop("id")


@fault("user")
def user_id_empty(answer: Answer) -> None:
    """users/me says that the user's id is empty."""
    answer.change(id="")


@fault("user")
def user_id_number(answer: Answer) -> None:
    """users/me says that the user's id is a number."""
    answer.change(id=4711)


@fault("user")
def user_id_other_case(answer: Answer) -> None:
    """users/me names an id that differs from the user's in case only."""
    content = answer.content() or {}
    answer.change(id=str(content.get("id", "")).swapcase())


@fault("user")
def user_id_twin(answer: Answer) -> None:
    """users/me names an id that differs from the user's until Unicode is normalized (NFKC)."""
    content = answer.content() or {}
    # The full-width forms stand in the same order as ASCII, 0xFEE0 further on.
    first, rest = str(content.get("id", ""))[:1], str(content.get("id", ""))[1:]
    answer.change(id=(chr(ord(first) + 0xFEE0) if "!" <= first <= "~" else first) + rest)


@fault("user")
def user_id_padded(answer: Answer) -> None:
    """users/me names the user's id with a space behind it."""
    content = answer.content() or {}
    answer.change(id=f"{content.get('id', '')} ")


@fault("user")
def user_without_account(answer: Answer) -> None:
    """users/me leaves out the account's id."""
    answer.drop("account_id")


@fault("user")
def user_other_account(answer: Answer, *, account_id: str = "AnotherAccountOfZoom01") -> None:
    """users/me names another account."""
    answer.change(account_id=account_id)


@fault("user")
def user_same_email(
    answer: Answer, *, email: str = "jane@example.com", user_id: str = "AnotherUserSameEmail01"
) -> None:
    """users/me describes user `user_id` with the e-mail address of another user."""
    answer.change(id=user_id, account_id="AnotherAccountOfZoom01", email=email)


@fault("user")
def user_verified_absent(answer: Answer) -> None:
    """users/me does not say whether the e-mail address was verified."""
    answer.drop("verified")


@fault("user")
def user_unverified(answer: Answer) -> None:
    """users/me says that the e-mail address is not verified."""
    answer.change(verified=0)


@fault("user")
def user_hostile_name(answer: Answer, *, name: str = "<script>alert(1)</script>\u202e") -> None:
    """The display name is markup, and turns the direction of reading."""
    answer.change(display_name=name)


@fault("user")
def user_half_character(answer: Answer) -> None:
    """Names and department end in half a character: a lone surrogate, as an escape."""
    answer.change(display_name="Jane \ud83d", last_name="\ud83d", dept="\udc4d Team")


@fault("user")
def user_error_half_character(answer: Answer) -> None:
    """users/me answers 401 with a message that ends in half a character."""
    _refused(answer, 401, 124, "Invalid access token of Jane \ud83d")


@fault("user")
def user_long_name(answer: Answer, *, length: int = 10_000) -> None:
    """The display name has `length` characters."""
    answer.change(display_name="x" * min(max(length, 0), 1 << 20))


def _refused(answer: Answer, status: int, code: int, message: str) -> None:
    refusal = Answer.of_json(status, {"code": code, "message": message})
    answer.status, answer.body, answer.headers = refusal.status, refusal.body, refusal.headers
