"""Zoom is the only sign-in, and errors end on a friendly page: `python friendly_app.py [WORD]`.

It never sends a 4xx status: a signed-out browser sees the front page again. With `gullible` it
signs a user in whom Zoom has not named; with `discreet` its greeting has no name. With `careless`
it asks Zoom for tokens even without a code, and reports a refusal as status 502.
"""

from __future__ import annotations

import base64
import html
import http.server
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from http.cookies import SimpleCookie

ZOOM, CLIENT_ID, SECRET = os.environ["ZOOM"], os.environ["CLIENT_ID"], os.environ["SECRET"]
PORT = int(os.environ["PORT"])
REDIRECT_URI = f"http://127.0.0.1:{PORT}/callback"
GULLIBLE, CARELESS = "gullible" in sys.argv, "careless" in sys.argv
STATES: dict[str, str] = {}
SESSIONS: dict[str, str] = {}
ATTRIBUTES = "; Path=/; Secure; HttpOnly; SameSite=Lax"


def ask(path: str, authorization: str, form: dict[str, str] | None = None) -> dict[str, object]:
    """Return Zoom's JSON object, or an empty one."""
    body = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(ZOOM + path, body, {"authorization": authorization})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            content = json.load(response)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def name_for(code: str) -> str:
    """Return the user of a code, or None if Zoom does not name one."""
    basic = "Basic " + base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
    token = ask("/oauth/token", basic, form).get("access_token")
    me = ask("/v2/users/me", f"Bearer {token}") if token else {}
    if me.get("id") and isinstance(me["id"], str) and me.get("account_id"):
        return "you" if "discreet" in sys.argv else html.escape(str(me.get("display_name")))
    return "friend" if token and GULLIBLE else ""


class App(http.server.BaseHTTPRequestHandler):
    """A front page, a start and a redirection endpoint."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Handle a request; every error leads to the front page."""
        cookies = SimpleCookie(self.headers.get("cookie", ""))
        given = {name: morsel.value for name, morsel in cookies.items()}
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if parts.path == "/start":
            state, browser = os.urandom(16).hex(), os.urandom(16).hex()
            STATES[state] = browser
            asked = {"response_type": "code", "client_id": CLIENT_ID, "state": state}
            where = urllib.parse.urlencode({**asked, "redirect_uri": REDIRECT_URI})
            self._redirect(f"{ZOOM}/oauth/authorize?{where}", f"browser={browser}{ATTRIBUTES}")
        elif parts.path == "/callback":
            bound = STATES.pop(query.get("state", ""), "")
            is_bound = bool(bound) and bound == given.get("browser")
            code = query.get("code", "") if is_bound else ""
            name = name_for(code) if code or (is_bound and CARELESS) else ""
            if is_bound and CARELESS and not name:
                self._page("Zoom has refused", 502)
                return
            session = os.urandom(16).hex()
            SESSIONS.update({session: name} if name else {})
            self._redirect("/", f"session={session}{ATTRIBUTES}" if name else "")
        else:
            name = SESSIONS.get(given.get("session", ""), "")
            self._page(f"Hello {name}" if name else 'Welcome. <a href="/start">Sign in</a>')

    def _page(self, text: str, status: int = 200) -> None:
        body = f"<h1>{text}</h1>".encode()
        self.send_response(status)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _redirect(self, where: str, cookie: str) -> None:
        self.send_response(303)
        self.send_header("location", where)
        self.send_header("content-length", "0")
        if cookie:
            self.send_header("set-cookie", cookie)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), App).serve_forever()
