"""requests-oauthlib, with oauthlib underneath."""

import requests
from oauthlib.oauth2 import OAuth2Error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session
from runner import AUTHORIZE, ME, REVOKE, TOKEN, App


def run(app: App) -> dict:
    """The whole way; the revocation request is prepared by oauthlib and sent by requests."""
    credentials = HTTPBasicAuth(app.client_id, app.client_secret)
    session = OAuth2Session(app.client_id, redirect_uri=app.redirect_uri, pkce="S256")
    url, _ = session.authorization_url(AUTHORIZE)
    first = dict(
        session.fetch_token(TOKEN, authorization_response=app.visit(url), auth=credentials)
    )
    user = session.get(ME).json()
    second = dict(session.refresh_token(TOKEN, first["refresh_token"], auth=credentials))
    try:
        session.refresh_token(TOKEN, first["refresh_token"], auth=credentials)
        reuse = "accepted"
    except OAuth2Error as error:
        reuse = error.error
    client = OAuth2Session(app.client_id, token=second)._client  # the prepared client
    to, headers, body = client.prepare_token_revocation_request(REVOKE, second["access_token"])
    revoked = requests.post(to, headers=headers, data=body, auth=credentials, timeout=10)
    after = requests.get(
        ME, headers={"authorization": f"Bearer {second['access_token']}"}, timeout=10
    )
    return {
        "scope": " ".join(first["scope"]),
        "user_id": user["id"],
        "rotated": first["refresh_token"] != second["refresh_token"],
        "reuse": reuse,
        "revoked": revoked.json()["status"],
        "afterwards": after.status_code,
    }
