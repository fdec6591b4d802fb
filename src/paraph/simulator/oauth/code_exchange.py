"""Exchanges an authorization code: checks its client, redirect URI and code verifier."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from paraph.simulator.engine import Simulator
from paraph.simulator.oauth import refusals
from paraph.simulator.oauth.client_authentication import Parameters
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.ledger import Code, Grant
from paraph.simulator.state.world import App, Zoom

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


@behaviour(
    "authorization code",
    "an exchange with a wrong verifier uses up the code; one with a wrong client or redirect URI "
    "does not",
    "unknown",
)
def take_code(simulator: Simulator, app: App, parameters: Parameters) -> Code:
    """Validate the code of a token request and use it up (RFC 6749 section 4.1.3, RFC 7636).

    Raises:
        OAuthRefusal: the code is invalid, or not for this client, redirect URI or verifier.
    """
    value = parameters.get("code")
    code = _find(simulator, value)
    if code is None:
        raise refusals.invalid_code(value)
    faults = simulator.faults
    if code.client_id != app.client_id and not faults.take("code_of_other_client_accepted"):
        raise refusals.invalid_code(value)
    same_uri = _is_same_uri(code, parameters.find("redirect_uri"), simulator.world.zoom)
    if not same_uri and not faults.take("redirect_uri_not_compared"):
        raise refusals.redirect_mismatch()
    code.used = True
    if not _is_proven(simulator, app, code, parameters.find("code_verifier")):
        raise refusals.invalid_code(value)
    return code


@behaviour(
    "Zoom Apps",
    "the exchange of an in-client code may leave out redirect_uri, or add a query to the Home URL; "
    "not with `strict`",
    "seen",
    source="zoom/arlo; zoom/zoomapps-advancedsample-react",
)
def _is_same_uri(code: Code, given: str | None, zoom: Zoom) -> bool:
    """Return true if an exchange names the redirect URI that its code was sent to."""
    if given == code.redirect_uri:
        return True
    if not code.in_client or zoom.strict:
        return False
    return given is None or given.partition("?")[0] == code.redirect_uri.partition("?")[0]


@behaviour(
    "authorization code",
    "a code that is used again is refused, and the tokens issued for it stay alive",
    "unknown",
)
def _find(simulator: Simulator, value: str) -> Code | None:
    ledger, faults = simulator.ledger, simulator.faults
    known = ledger.codes.get(value)
    code = ledger.find_code(value)
    if code is not None or known is None:
        return code
    if known.used:
        if faults.take("code_reuse_ends_grant"):
            ledger.remove(known.client_id, known.user_id)
        return known if faults.take("code_reuse_accepted") else None
    return known if faults.take("code_never_expires") else None


@behaviour(
    "PKCE",
    "the method is plain when it is absent",
    "documented",
    source="Zoom's OAuth reference: code_challenge_method",
)
@behaviour(
    "PKCE",
    "a wrong or missing verifier is invalid_grant",
    "documented",
    source="Zoom's OAuth reference; forum thread 77062",
)
@behaviour(
    "PKCE",
    "length and alphabet of a verifier are not checked, except with `strict`",
    "inferred",
    source="an official sample breaks RFC 7636 4.1",
)
@behaviour(
    "PKCE",
    "a verifier for a code without a challenge is ignored; refused with `strict`",
    "unknown",
)
def _is_proven(simulator: Simulator, app: App, code: Code, verifier: str | None) -> bool:
    strict = simulator.world.zoom.strict
    if not code.challenge:
        if app.public:
            return False
        return verifier is None or not (strict or simulator.faults.take("pkce_downgrade_refused"))
    if simulator.faults.take("pkce_not_enforced"):
        return True
    if verifier is None or (strict and not _VERIFIER.fullmatch(verifier)):
        return False
    computed = _challenge(verifier, code.method)
    return hmac.compare_digest(computed, code.challenge.encode("utf-8", "replace"))


def _challenge(verifier: str, method: str) -> bytes:
    raw = verifier.encode("utf-8", "replace")
    if method != "S256":
        return raw
    return base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=")


@behaviour(
    "one live token set",
    "the grant counts the consents of a user to an app; other users' grants are untouched",
    "seen",
    source="public code: one live token set for each user and app",
)
def issue_tokens(simulator: Simulator, app: App, user_id: str, scopes: tuple[str, ...]) -> Grant:
    """Issue a new token set for a user who has consented.

    Args:
        simulator: the simulated Zoom.
        app: the app that gets it.
        user_id: the user who has consented.
        scopes: the granted scopes.

    Raises:
        OAuthRefusal: the user was deleted meanwhile, or the approval withdrawn.
    """
    user = simulator.world.user(user_id)
    if user is None:
        raise refusals.user_gone()
    if simulator.app_status.is_withdrawn(app.client_id, user.account_id):
        raise refusals.approval_withdrawn()
    return simulator.ledger.authorize(
        app,
        user,
        scopes,
        claims=faulty_claims(simulator, user_id),
        keep_older=simulator.faults.take("older_tokens_survive"),
    )


def faulty_claims(simulator: Simulator, user_id: str) -> dict[str, str]:
    """Return claims that faults put in place of the true ones."""
    claims = {}
    if simulator.faults.take("token_claims_of_another"):
        others = [user.id for user in simulator.world.users if user.id != user_id]
        claims["uid"] = others[0] if others else "AnotherUserAnotherUser"
    if simulator.faults.take("token_claims_other_client"):
        claims["iss"] = "zm:cid:AnotherClientOfZoom001"
    return claims
