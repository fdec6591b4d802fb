"""httpx-oauth: its generic OAuth 2 client, asynchronous."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import httpx
from httpx_oauth.oauth2 import BaseOAuth2, RefreshTokenError
from runner import AUTHORIZE, ME, REVOKE, TOKEN, App


def run(app: App) -> dict:
    """The whole way."""
    return asyncio.run(_run(app))


async def _run(app: App) -> dict:
    client = BaseOAuth2(
        app.client_id,
        app.client_secret,
        AUTHORIZE,
        TOKEN,
        TOKEN,
        REVOKE,
        token_endpoint_auth_method="client_secret_basic",
        revocation_endpoint_auth_method="client_secret_basic",
    )
    url = await client.get_authorization_url(app.redirect_uri, state="a-state")
    answer = parse_qs(urlsplit(app.visit(url)).query)
    if answer["state"] != ["a-state"]:
        raise SystemExit("another state")
    first = await client.get_access_token(answer["code"][0], app.redirect_uri)
    second = await client.refresh_token(first["refresh_token"])
    async with httpx.AsyncClient() as transport:
        bearer = {"authorization": f"Bearer {second['access_token']}"}
        user = (await transport.get(ME, headers=bearer)).json()
        try:
            await client.refresh_token(first["refresh_token"])
            reuse = "accepted"
        except RefreshTokenError as error:
            reuse = error.response.json()["error"]
        await client.revoke_token(second["access_token"], "access_token")
        after = await transport.get(ME, headers=bearer)
    return {
        "scope": first["scope"],
        "user_id": user["id"],
        "rotated": first["refresh_token"] != second["refresh_token"],
        "reuse": reuse,
        "revoked": "success",
        "afterwards": after.status_code,
    }
