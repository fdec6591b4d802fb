"""Serves the function on http://127.0.0.1 as a gateway does: `python local_gateway.py [KIND]`.

KIND is the form of the invocation: `http` (API Gateway HTTP, function URLs), `rest` or `balancer`.
"""

import base64
import os
import sys
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from handler import handler

KIND = sys.argv[1] if len(sys.argv) > 1 else "http"
LONGEST = 6 << 20  # Lambda takes no longer request.


def invocation(method: str, path: str, headers: Message, body: bytes) -> dict[str, Any]:
    """Describe a request as the gateway of this kind does."""
    event: dict[str, Any] = {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    several = {name: headers.get_all(name) for name in headers}
    if KIND == "http":
        joined = {name.lower(): ",".join(values) for name, values in several.items()}
        http = {"method": method, "path": path}
        return {**event, "version": "2.0", "headers": joined, "requestContext": {"http": http}}
    event |= {"httpMethod": method, "path": path, "multiValueHeaders": several}
    if KIND == "balancer":
        return {**event, "requestContext": {"elb": {"targetGroupArn": "arn:aws:example"}}}
    single = {name: values[-1] for name, values in several.items()}
    return {**event, "headers": single, "requestContext": {"httpMethod": method}}


class Gateway(BaseHTTPRequestHandler):
    """Invokes the function for each request to its path."""

    protocol_version = "HTTP/1.1"
    timeout = 10
    wbufsize = 65536  # Head and body leave together.

    def do_POST(self) -> None:
        """Read the request, invoke the function, and send its result."""
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers or not length.isdigit() or int(length) > LONGEST:
            self.close_connection = True
            self.send({"statusCode": 413, "body": ""})
            return
        body = self.rfile.read(int(length))
        # http.server shortens a path that begins with two slashes; the request line has it whole.
        path = self.requestline.split(" ")[1].partition("?")[0]
        if path != "/zoom/webhook":
            self.send({"statusCode": 404, "body": ""})
            return
        self.send(handler(invocation(self.command, path, self.headers, body), None))

    do_GET = do_PUT = do_DELETE = do_PATCH = do_POST  # noqa: N815

    def send(self, result: dict[str, Any]) -> None:
        """Send the result of the function as a response."""
        body = result["body"].encode()
        several = result.get("multiValueHeaders", {})
        single = result.get("headers") or {name: values[0] for name, values in several.items()}
        self.send_response(result["statusCode"])
        for name, value in {**single, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Write nothing for each request."""


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "5001"))
    ThreadingHTTPServer(("127.0.0.1", port), Gateway).serve_forever()
