"""pyzoom: a client of Zoom's REST API that is handed tokens."""

from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from pyzoom import ZoomClient
from pyzoom.oauth import refresh_tokens
from runner import AUTHORIZE, TOKEN, App


def run(app: App) -> dict:
    """A token set got by hand, then pyzoom: refresh, a meeting made, listed and deleted."""
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri,
    }
    answer = parse_qs(urlsplit(app.visit(f"{AUTHORIZE}?{urlencode(query)}")).query)
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"][0],
        "redirect_uri": app.redirect_uri,
    }
    credentials = (app.client_id, app.client_secret)
    first = requests.post(TOKEN, data=form, auth=credentials, timeout=10).json()
    second = refresh_tokens(app.client_id, app.client_secret, first["refresh_token"])
    client = ZoomClient(second["access_token"], second["refresh_token"])
    meeting = client.meetings.create_meeting(
        "Standup", start_time="2026-12-01T09:00:00Z", duration_min=15
    )
    listed = client.meetings.list_meetings()
    client.meetings.delete_meeting(meeting.id)
    return {
        "rotated": first["refresh_token"] != second["refresh_token"],
        "topic": meeting.topic,
        "listed": meeting.id in {one.id for one in listed.meetings},
        "left": len(client.meetings.list_meetings().meetings),
    }
