"""An HTTP API gateway in front of the Lambda example, and the hooks of `paraph check`.

It turns each request into an invocation of payload format 2.0, and the result into a response.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

CLOCK = Path(os.environ["CLOCK"])
LONGEST = 6 << 20  # Lambda takes no longer request.
_real = time.time


def _shifted() -> float:
    return _real() + float(CLOCK.read_text() if CLOCK.exists() else 0)


# Before the product takes the function as its clock.
time.time = _shifted
os.environ.setdefault("VAULT_KEY", Fernet.generate_key().decode())
_FILE = Path(__file__).parents[2] / "examples/installs_lambda/handler.py"
_spec = importlib.util.spec_from_file_location("installs_lambda_handler", _FILE)
assert _spec and _spec.loader
product = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(product)


class Gateway(BaseHTTPRequestHandler):
    """Invokes the function for each request."""

    protocol_version = "HTTP/1.1"
    timeout = 10
    wbufsize = 65536  # Head and body leave together.

    def handle_any(self) -> None:
        """Read the request, invoke the function, and send its result."""
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers or not length.isdigit() or int(length) > LONGEST:
            self.close_connection = True
            self._send({"statusCode": 413, "body": ""})
            return
        body = self.rfile.read(int(length))
        # http.server shortens a path that begins with two slashes; the request line has it whole.
        path, _, query = self.requestline.split(" ")[1].partition("?")
        if path.startswith("/_hooks/"):
            self._send(_hook(path.removeprefix("/_hooks/"), body))
            return
        event = self._invocation(path, query, body)
        self._send(product.handler(event, None))

    do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any  # noqa: N815

    def _invocation(self, path: str, query: str, body: bytes) -> dict[str, Any]:
        cookies = self.headers.get("cookie", "")
        is_form = "form" in self.headers.get("content-type", "")
        return {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "cookies": cookies.split("; ") if cookies else [],
            "headers": {
                name.lower(): ",".join(self.headers.get_all(name, []))
                for name in self.headers
                if name.lower() != "cookie"
            },
            "requestContext": {"http": {"method": self.command, "path": path}},
            "body": body.decode() if is_form else base64.b64encode(body).decode(),
            "isBase64Encoded": not is_form,
        }

    def _send(self, result: dict[str, Any]) -> None:
        body = result["body"].encode()
        self.send_response(result["statusCode"])
        for name, value in result.get("headers", {}).items():
            self.send_header(name, value)
        for cookie in result.get("cookies", []):
            self.send_header("set-cookie", cookie)
        if result["statusCode"] != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Write nothing for each request."""


def _hook(name: str, body: bytes) -> dict[str, Any]:
    content: Any = "done"
    if name == "advance":
        CLOCK.write_text(json.loads(body)["seconds"])
    elif name == "sign-out":
        gone = "__Host-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
        return {"statusCode": 200, "cookies": [gone], "body": "signed out"}
    elif name == "links":
        names = ("subject", "account_id", "user_id")
        rows = product.sql(f"SELECT {', '.join(names)} FROM installs")
        content = [dict(zip(names, one, strict=True)) for one in rows]
    elif name == "events":
        content = [json.loads(one) for (one,) in product.sql("SELECT body FROM events")]
    return {"statusCode": 200, "body": json.dumps(content)}


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Gateway).serve_forever()
