"""httpx-oauth in FastAPI as its page "FastAPI" shows it: the dependency at the callback.

The start is the page "OAuth2": `get_authorization_url` with the redirect URI. The documentation
hands the state to the route and leaves it there.
"""

import os
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.responses import RedirectResponse
from httpx_oauth.integrations.fastapi import OAuth2AuthorizeCallback
from httpx_oauth.oauth2 import OAuth2

client = OAuth2(
    os.environ["ZOOM_CLIENT_ID"],
    os.environ["ZOOM_CLIENT_SECRET"],
    "https://zoom.us/oauth/authorize",
    "https://zoom.us/oauth/token",
)
oauth2_authorize_callback = OAuth2AuthorizeCallback(client, "oauth-callback")
app = FastAPI()


@app.get("/login")
async def login():
    return RedirectResponse(
        await client.get_authorization_url(f"{os.environ['APP_URL']}/oauth-callback")
    )


@app.get("/oauth-callback", name="oauth-callback")
async def oauth_callback(access_token_state: Annotated[tuple, Depends(oauth2_authorize_callback)]):
    _token, state = access_token_state
    # "Do something useful" stands here.
    return {"state": state}
