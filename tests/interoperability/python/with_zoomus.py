"""zoomus: a client of Zoom's REST API for server-to-server apps."""

import os

from runner import App
from zoomus import ZoomClient


def run(_app: App) -> dict:
    """Its own token by account_credentials, then the account's users."""
    client = ZoomClient(
        os.environ["S2S_CLIENT_ID"], os.environ["S2S_CLIENT_SECRET"], os.environ["ACCOUNT_ID"]
    )
    users = client.user.list().json()["users"]
    one = client.user.get(id=users[0]["id"]).json()
    return {"users": len(users), "user_id": one["id"]}
