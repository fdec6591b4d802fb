"""The hooks of `paraph check` for an example product, in a process beside it.

The product has no page for tests. So `use` signs in as the subject and opens the page that calls
Zoom. `links` reads paraph's database, and `expire` writes the end of an access token there.
`events` lists the events that paraph has forwarded to here; the product's own handlers run as well.
A GET has status 200 when the product is ready.

    python -m examples.hook_server PORT URL DATABASE SIGN_IN PROFILE FIELDS
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

_HIDDEN = re.compile(r"<input type=\"?hidden\"? name=\"?([^\" ]+)\"? value=\"?([^\" >]*)")
_LINKS = (
    "SELECT links.subject, grants.user_id, grants.account_id FROM links "
    "JOIN grants ON grants.grant_id = links.grant_id WHERE links.phase = 'active'"
)
_EXPIRE = (
    "UPDATE grants SET access_expires_at = 1 WHERE grant_id IN "
    "(SELECT grant_id FROM links WHERE subject = ? AND phase = 'active')"
)


@dataclass(frozen=True)
class Product:
    """The product beside which the hooks stand."""

    url: str
    database: str
    sign_in: str
    profile: str
    fields: dict[str, str]

    def is_ready(self) -> bool:
        """Whether the product answers requests, and its service does not say to come back later."""
        try:
            build_opener(ProxyHandler({})).open(self.url + self.sign_in, timeout=10).close()
        except HTTPError as refused:
            return refused.code != 503
        except OSError:
            return False
        return True

    def use(self, subject: str) -> int:
        """Sign in as a subject, and open the page that calls Zoom; return its status."""
        # A browser sends Secure cookies to loopback over plain http.
        policy = DefaultCookiePolicy(secure_protocols=("http", "https"))
        opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar(policy)))
        try:
            with opener.open(self.url + self.sign_in, timeout=30) as page:
                form = dict(_HIDDEN.findall(page.read().decode()))
        except HTTPError:
            # It has no page for its form.
            form = {}
        form |= {name: text.replace("{subject}", subject) for name, text in self.fields.items()}
        sent = Request(self.url + self.sign_in, urlencode(form).encode())
        try:
            opener.open(sent, timeout=30).close()
            with opener.open(self.url + self.profile, timeout=60) as page:
                return int(page.status)
        except HTTPError as refused:
            return refused.code
        except URLError:
            return 503

    def links(self) -> list[dict[str, str]]:
        """The active links, as the database has them."""
        names = ("subject", "user_id", "account_id")
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return [dict(zip(names, row, strict=True)) for row in connection.execute(_LINKS)]

    @property
    def forwarded(self) -> Path:
        """The file of the events; it outlives the product, which a case may restart."""
        return Path(self.database).with_name("forwarded.jsonl")

    def keep(self, body: bytes) -> int:
        """Keep a forwarded event that concerns an installation, or a notice; return the status."""
        data = json.loads(body)["data"]
        if data.get("installations") or "installation" in data:
            with self.forwarded.open("ab") as file:
                file.write(body + b"\n")
        return 204

    def events(self) -> list[str]:
        """The bodies of the events, in their order."""
        kept = self.forwarded.read_bytes() if self.forwarded.exists() else b""
        return [line.decode() for line in kept.split(b"\n") if line]

    def expire(self, subject: str) -> dict[str, int]:
        """Let the access token of a subject count as expired."""
        with closing(sqlite3.connect(self.database, timeout=20)) as connection, connection:
            return {"expired": connection.execute(_EXPIRE, (subject,)).rowcount}


def handler_of(product: Product) -> type[BaseHTTPRequestHandler]:
    """The handler of the hooks' requests."""

    class Hooks(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer the check, which waits until this process and the product are ready."""
            self.answer(200 if product.is_ready() else 503, {})

        def do_POST(self) -> None:
            """Answer a hook."""
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            given = json.loads(body or b"{}")
            if self.path == "/forwarded":
                self.answer(product.keep(body), {})
            elif self.path == "/events":
                self.answer(200, product.events())
            elif self.path == "/use":
                self.answer(product.use(given["subject"]), {})
            elif self.path == "/links":
                self.answer(200, product.links())
            elif self.path == "/expire":
                self.answer(200, product.expire(given["subject"]))
            else:
                self.answer(404, {})

        def answer(self, status: int, content: Any) -> None:
            """Send JSON."""
            body = json.dumps(content).encode() if status != 204 else b""
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    return Hooks


class Server(ThreadingHTTPServer):
    """A server for a case that sends twenty requests at once."""

    request_queue_size = 128


def main() -> None:
    """Serve the hooks."""
    port, url, database, sign_in, profile, fields = sys.argv[1:]
    product = Product(url, database, sign_in, profile, json.loads(fields))
    Server(("127.0.0.1", int(port)), handler_of(product)).serve_forever()


if __name__ == "__main__":
    main()
