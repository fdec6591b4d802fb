"""Faults of the token and revocation endpoints: refusals, transport, and omitted checks.

`token_shape` has the malformed successes, and `token_dialect` the unusual ones.
"""

from __future__ import annotations

from paraph.simulator.faults.transport import bomb, captive_portal, pad, redirect
from paraph.simulator.response import ResponseDraft
from paraph.simulator.state.fault_registry import check, fault

check("code_reuse_accepted", "A code can be exchanged again.")
check(
    "code_reuse_ends_grant",
    "A code that is used again is refused and ends its tokens.",
)
check("code_never_expires", "A code can be exchanged long after its five minutes.")
check("code_of_other_client_accepted", "A code issued to another app is accepted.")
check("redirect_uri_not_compared", "The redirect URI of the exchange is not compared.")
check("client_secret_not_checked", "Any client secret is accepted.")
check("pkce_not_enforced", "A code is exchanged with any verifier.")
check("pkce_downgrade_refused", "A verifier for a code without a challenge is refused.")
check("old_refresh_token_accepted", "A spent refresh token works again.")
check("refresh_not_rotated", "A refresh returns no refresh token; the older one stays alive.")
check("refresh_reuse_ends_grant", "A spent refresh token that is used again ends the whole grant.")
check("older_tokens_survive", "Authorizing again leaves the older token set alive.")
check("access_token_survives_refresh", "A refresh leaves the older access token alive.")
check("revoke_keeps_grant", "A revocation reports success and ends nothing.")
check("revoke_refresh_token_refused", "Only an access token can be revoked.")


# A refusal applies before any work is done: it uses up no code and no refresh token.
@fault("token_refusal")
def token_unavailable(response: ResponseDraft, *, status: int = 503) -> None:
    """The token endpoint responds `status`."""
    response.replace(status, b"Service Unavailable", "text/plain")


@fault("token_refusal")
def token_rate_limited(response: ResponseDraft, *, retry_after: str = "30") -> None:
    """The token endpoint responds 429 with `retry_after`."""
    response.replace(429, b"{}", "application/json")
    response.headers["retry-after"] = retry_after


@fault("token_refusal")
def token_reset(response: ResponseDraft) -> None:
    """The connection is closed before anything is done."""
    response.status, response.cut = 503, True


@fault("token_refusal")
def token_refused(
    response: ResponseDraft, *, error: str = "invalid_grant", reason: str = "Invalid Token!"
) -> None:
    """The token endpoint responds 400 with `error` and `reason` for every request."""
    response.replace_json(400, {"reason": reason, "error": error})


@fault("token_refusal")
def token_refused_half_character(response: ResponseDraft, *, error: str = "invalid_grant") -> None:
    """The token endpoint responds 400 with `error` and a reason that ends in half a character."""
    response.replace_json(400, {"reason": "Invalid Token of Jane \ud83d", "error": error})


@fault("token")
def token_html(response: ResponseDraft) -> None:
    """The token endpoint responds 200 with an HTML page."""
    captive_portal(response)


@fault("token")
def token_slow(response: ResponseDraft, *, seconds: float = 60.0) -> None:
    """The token endpoint responds after `seconds`."""
    response.delay += seconds


@fault("token")
def token_drip(response: ResponseDraft, *, seconds: float = 1.0) -> None:
    """The response is sent byte by byte, `seconds` apart."""
    response.drip = seconds


@fault("token")
def token_cut(response: ResponseDraft) -> None:
    """The work is done, and the connection is closed without a response."""
    response.cut = True


@fault("token")
def token_huge(response: ResponseDraft, *, mebibytes: int = 2) -> None:
    """The token response is followed by `mebibytes` of white space."""
    pad(response, mebibytes)


@fault("token")
def token_bomb(response: ResponseDraft, *, mebibytes: int = 50) -> None:
    """The token response is compressed, and expands to `mebibytes`."""
    bomb(response, mebibytes)


@fault("token")
def token_redirect(
    response: ResponseDraft, *, status: int = 307, location: str = "http://127.0.0.1:9/"
) -> None:
    """The token endpoint redirects, with `status`, to `location`."""
    redirect(response, status, location)


@fault("revoke_refusal")
def revoke_unavailable(response: ResponseDraft, *, status: int = 503) -> None:
    """The revocation endpoint responds `status`, and the tokens stay alive."""
    response.replace(status, b"Service Unavailable", "text/plain")


@fault("revoke_refusal")
def revoke_refused(response: ResponseDraft) -> None:
    """The revocation endpoint reports an invalid token, and the token stays alive."""
    response.replace_json(400, {"reason": "Invalid Token!", "error": "invalid_request"})


@fault("revoke_refusal")
def revoke_slow(response: ResponseDraft, *, seconds: float = 60.0) -> None:
    """The revocation endpoint responds after `seconds`."""
    response.delay += seconds
