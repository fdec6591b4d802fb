"""Runs one published Python client against the simulated Zoom: `python runner.py CLIENT`.

The clients are installed as they were published and know Zoom's real URLs. What stands in for the
internet is the name resolution of this one process: Zoom's names lead to an address that is
nobody's, and a connection to it reaches the simulator's port.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

AUTHORIZE = "https://zoom.us/oauth/authorize"
TOKEN = "https://zoom.us/oauth/token"
REVOKE = "https://zoom.us/oauth/revoke"
ME = "https://api.zoom.us/v2/users/me"
_NAMES = {"zoom.us", "api.zoom.us"}
# An address that is nobody's (RFC 5737).
_ZOOM = "192.0.2.1"
_resolve, _really_connect = socket.getaddrinfo, socket.socket.connect


@dataclass(frozen=True)
class App:
    """The app that the clients speak for."""

    client_id: str
    client_secret: str
    redirect_uri: str

    def visit(self, url: str) -> str:
        """Open a URL as a browser would; where it is sent."""
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            opener.open(url)
        except urllib.error.HTTPError as answer:
            return answer.headers["location"]
        raise SystemExit(f"no redirect from {url}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_more: object) -> None:
        return None


def _answer(host: object, port: object, *args: object, **more: object) -> object:
    name = host.decode() if isinstance(host, bytes) else host
    return _resolve(_ZOOM if name in _NAMES else host, port, *args, **more)


def _connect(self: socket.socket, address: object) -> None:
    if isinstance(address, tuple) and address[0] == _ZOOM:
        address = ("127.0.0.1", int(os.environ["ZOOM_PORT"]))
    _really_connect(self, address)


def main() -> None:
    """Run the named client and print what it says."""
    socket.getaddrinfo, socket.socket.connect = _answer, _connect
    sys.path.insert(0, str(Path(__file__).parent))
    client = importlib.import_module(sys.argv[1])
    app = App(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"], os.environ["REDIRECT_URI"])
    print(json.dumps(client.run(app)))


if __name__ == "__main__":
    main()
