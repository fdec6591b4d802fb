"""An app with Zoom's addresses in its code: `python hard_coded_app.py PORT CLIENT_ID SECRET`."""

from __future__ import annotations

import base64
import http.server
import json
import sys
import urllib.parse
import urllib.request

PORT, CLIENT_ID, SECRET = int(sys.argv[1]), sys.argv[2], sys.argv[3]
REDIRECT_URI = f"http://127.0.0.1:{PORT}/cb"


class App(http.server.BaseHTTPRequestHandler):
    """An app with two routes and without state."""

    def do_GET(self) -> None:
        """Begin or finish the flow."""
        parts = urllib.parse.urlsplit(self.path)
        if parts.path != "/cb":
            query = {"response_type": "code", "client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI}
            self.send_response(302)
            where = f"https://zoom.us/oauth/authorize?{urllib.parse.urlencode(query)}"
            self.send_header("Location", where)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        code = dict(urllib.parse.parse_qsl(parts.query)).get("code", "")
        name = self.exchange(code).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(name)))
        self.end_headers()
        self.wfile.write(name)

    def exchange(self, code: str) -> str:
        """Send a request to Zoom; the system's certificates are trusted."""
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        basic = base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
        request = urllib.request.Request(
            "https://zoom.us/oauth/token",
            urllib.parse.urlencode(fields).encode(),
            {"Authorization": f"Basic {basic}"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            token = json.load(response)["access_token"]
        me = urllib.request.Request(
            "https://api.zoom.us/v2/users/me", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(me, timeout=10) as response:
            return str(json.load(response)["display_name"])

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", PORT), App).serve_forever()
