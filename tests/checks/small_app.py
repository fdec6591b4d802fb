"""An app with links, an API call and webhooks, all in memory: `python small_app.py [FLAW]`.

The flaws: `failing` responds to authorization responses with 500, `deaf` never listens, `wrong`
returns its links in another shape, `late` accepts connections long before it responds, `refused`
refreshes its tokens only when Zoom refuses one, `mortal` ends at an error of Zoom.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ZOOM, CLIENT_ID, SECRET = os.environ["ZOOM"], os.environ["CLIENT_ID"], os.environ["SECRET"]
WEBHOOK_SECRET, PORT = os.environ["WEBHOOK_SECRET"], int(os.environ["PORT"])
REDIRECT_URI = f"http://127.0.0.1:{PORT}/callback"
FLAW = sys.argv[1] if len(sys.argv) > 1 else ""
STATES: set[str] = set()
TOKENS: dict[str, dict[str, str]] = {}
USERS: dict[str, dict[str, str]] = {}


def ask(path: str, authorization: str, form: dict[str, str] | None = None) -> dict[str, str]:
    """Return Zoom's JSON object; raise at an error status."""
    body = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(ZOOM + path, body, {"authorization": authorization})
    with urllib.request.urlopen(request, timeout=5) as response:
        content: dict[str, str] = json.load(response)
    return content


def tokens_for(**form: str) -> dict[str, str]:
    """Request tokens."""
    basic = base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
    return ask("/oauth/token", f"Basic {basic}", form)


def meetings(user: str) -> int:
    """Call Zoom's API for a user, with new tokens if the present ones are refused."""
    for _ in range(2):
        try:
            ask("/v2/users/me/meetings", f"Bearer {TOKENS[user]['access_token']}")
        except urllib.error.HTTPError as error:
            if error.code != 401:
                return 502
            refresh_token = TOKENS[user]["refresh_token"]
            TOKENS[user] = tokens_for(grant_type="refresh_token", refresh_token=refresh_token)
        else:
            return 200
    return 502


class App(http.server.BaseHTTPRequestHandler):
    """A start, a redirection endpoint, a webhook and two hooks."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Begin or finish an installation, or list the links."""
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if parts.path == "/start":
            state = os.urandom(16).hex()
            STATES.add(state)
            asked = {"response_type": "code", "client_id": CLIENT_ID, "state": state}
            where = urllib.parse.urlencode({**asked, "redirect_uri": REDIRECT_URI})
            self._respond(303, "", location=f"{ZOOM}/oauth/authorize?{where}")
        elif parts.path == "/callback":
            try:
                self._callback(query)
            except (OSError, ValueError, LookupError, TypeError):
                if FLAW == "mortal":
                    os._exit(7)
                self._respond(500, "Internal Server Error")
        elif parts.path == "/links":
            links = [{"user_id": u, "account_id": one["account_id"]} for u, one in USERS.items()]
            self._respond(200, json.dumps(list(USERS) if FLAW == "wrong" else links))
        else:
            self._respond(404, "no such page")

    def do_POST(self) -> None:
        """Accept a signed event, or call Zoom for a user."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/use":
            user = json.loads(body)["user"]
            self._respond(meetings(user) if user in TOKENS else 404, "")
        elif self.path == "/webhook":
            message = f"v0:{self.headers['x-zm-request-timestamp']}:".encode() + body
            mac = hmac.new(WEBHOOK_SECRET.encode(), message, hashlib.sha256).hexdigest()
            right = hmac.compare_digest(f"v0={mac}", self.headers.get("x-zm-signature", ""))
            self._respond(200 if right else 401, "")
        else:
            self._respond(404, "no such page")

    def _callback(self, query: dict[str, str]) -> None:
        if query.get("state") not in STATES:
            self._respond(400, "unknown state")
            return
        if FLAW == "failing":
            sys.stderr.write(f"KeyError: 'ZOOM_SECRET' beside {SECRET}\n")
            self._respond(500, "Internal Server Error")
            return
        STATES.discard(query["state"])
        code = query["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        tokens = tokens_for(**form)
        user = ask("/v2/users/me", f"Bearer {tokens['access_token']}")
        TOKENS[user["id"]], USERS[user["id"]] = tokens, user
        self._respond(200, "Installed")

    def _respond(self, status: int, text: str, **headers: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


if FLAW == "deaf":
    time.sleep(60)
server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), App)
if FLAW == "late":
    time.sleep(1)
server.serve_forever()
