"""Authlib: its session for requests, with PKCE."""

from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from runner import AUTHORIZE, ME, REVOKE, TOKEN, App


def run(app: App) -> dict:
    """The whole way."""
    session = OAuth2Session(
        app.client_id,
        app.client_secret,
        redirect_uri=app.redirect_uri,
        code_challenge_method="S256",
    )
    verifier = generate_token(48)
    url, state = session.create_authorization_url(AUTHORIZE, code_verifier=verifier)
    first = dict(
        session.fetch_token(
            TOKEN, authorization_response=app.visit(url), state=state, code_verifier=verifier
        )
    )
    user = session.get(ME).json()
    second = dict(session.refresh_token(TOKEN, refresh_token=first["refresh_token"]))
    try:
        session.refresh_token(TOKEN, refresh_token=first["refresh_token"])
        reuse = "accepted"
    except OAuthError as error:
        reuse = error.error
    revoked = session.revoke_token(REVOKE, token=second["access_token"]).json()["status"]
    session.token = second
    return {
        "scope": first["scope"],
        "user_id": user["id"],
        "rotated": first["refresh_token"] != second["refresh_token"],
        "reuse": reuse,
        "revoked": revoked,
        "afterwards": session.get(ME).status_code,
    }
