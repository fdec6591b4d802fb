"""Faults of the token and revocation endpoints: refusals, transport, and omitted checks.

`token_shape` has the malformed forms of a successful response.
"""

from __future__ import annotations

from paraph.simulator.faults.transport import bomb, pad, page, redirect
from paraph.simulator.response import Answer
from paraph.simulator.state.fault_registry import check, fault

check("code_reuse_accepted", "A code can be exchanged again.")
check("code_reuse_ends_grant", "A code that comes again is refused and ends what it brought.")
check("code_never_expires", "A code can be exchanged long after its five minutes.")
check("code_of_other_client_accepted", "A code that another app was given is accepted.")
check("redirect_uri_not_compared", "The redirect URI of the exchange is not compared.")
check("client_secret_not_checked", "Any client secret is accepted.")
check("pkce_not_enforced", "A code is given tokens whatever the verifier.")
check("pkce_downgrade_refused", "A verifier for a code without a challenge is refused.")
check("old_refresh_token_accepted", "A spent refresh token works again.")
check("refresh_not_rotated", "A refresh brings no refresh token; the older one goes on to work.")
check("refresh_reuse_ends_grant", "A spent refresh token ends the whole grant when it comes again.")
check("older_tokens_survive", "Authorizing again leaves the older token set alive.")
check("access_token_survives_refresh", "A refresh leaves the older access token alive.")
check("revoke_keeps_grant", "A revocation says success and ends nothing.")
check("revoke_refresh_token_refused", "Only an access token can be revoked.")


# A refusal applies before any work is done: it uses up no code and no refresh token.
@fault("token_refusal")
def token_unavailable(answer: Answer, *, status: int = 503) -> None:
    """The token endpoint answers `status`."""
    answer.replace(status, b"Service Unavailable", "text/plain")


@fault("token_refusal")
def token_rate_limited(answer: Answer, *, retry_after: str = "30") -> None:
    """The token endpoint answers 429 with `retry_after`."""
    answer.replace(429, b"{}", "application/json")
    answer.headers["retry-after"] = retry_after


@fault("token_refusal")
def token_reset(answer: Answer) -> None:
    """The connection is closed before anything is done."""
    answer.status, answer.cut = 503, True


@fault("token_refusal")
def token_refused(
    answer: Answer, *, error: str = "invalid_grant", reason: str = "Invalid Token!"
) -> None:
    """The token endpoint answers 400 with `error` and `reason`, whatever was sent."""
    refusal = Answer.of_json(400, {"reason": reason, "error": error})
    answer.status, answer.body, answer.headers = refusal.status, refusal.body, refusal.headers


@fault("token_refusal")
def token_refused_half_character(answer: Answer, *, error: str = "invalid_grant") -> None:
    """The token endpoint answers 400 with `error` and a reason that ends in half a character."""
    refusal = Answer.of_json(400, {"reason": "Invalid Token of Jane \ud83d", "error": error})
    answer.status, answer.body, answer.headers = refusal.status, refusal.body, refusal.headers


@fault("token")
def token_html(answer: Answer) -> None:
    """The token endpoint answers 200 with an HTML page."""
    page(answer)


@fault("token")
def token_slow(answer: Answer, *, seconds: float = 60.0) -> None:
    """The token endpoint answers after `seconds`."""
    answer.delay += seconds


@fault("token")
def token_drip(answer: Answer, *, seconds: float = 1.0) -> None:
    """The answer comes byte by byte, `seconds` apart."""
    answer.drip = seconds


@fault("token")
def token_cut(answer: Answer) -> None:
    """The work is done, and the connection closed without an answer."""
    answer.cut = True


@fault("token")
def token_huge(answer: Answer, *, mebibytes: int = 2) -> None:
    """The token response is followed by `mebibytes` of white space."""
    pad(answer, mebibytes)


@fault("token")
def token_bomb(answer: Answer, *, mebibytes: int = 50) -> None:
    """The token response is compressed, and `mebibytes` large when it is not."""
    bomb(answer, mebibytes)


@fault("token")
def token_redirect(
    answer: Answer, *, status: int = 307, location: str = "http://127.0.0.1:9/"
) -> None:
    """The token endpoint redirects, with `status`, to `location`."""
    redirect(answer, status, location)


@fault("revoke_refusal")
def revoke_unavailable(answer: Answer, *, status: int = 503) -> None:
    """The revocation endpoint answers `status`, and the tokens stay alive."""
    answer.replace(status, b"Service Unavailable", "text/plain")


@fault("revoke_refusal")
def revoke_refused(answer: Answer) -> None:
    """The revocation endpoint says that the token is invalid, and it stays alive."""
    refusal = Answer.of_json(400, {"reason": "Invalid Token!", "error": "invalid_request"})
    answer.status, answer.body, answer.headers = refusal.status, refusal.body, refusal.headers


@fault("revoke_refusal")
def revoke_slow(answer: Answer, *, seconds: float = 60.0) -> None:
    """The revocation endpoint answers after `seconds`."""
    answer.delay += seconds
