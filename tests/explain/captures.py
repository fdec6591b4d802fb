"""One genuine delivery, in every form in which people capture it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from paraph.explain.capture import CapturedRequest, read_capture
from paraph.explain.delivery import DeliverySettings, explain_delivery
from paraph.explain.explanation import Explanation

SECRET = "made-up-secret-token-7f3a91"
NOW = 1_795_900_000
BODY = (
    '{"event":"meeting.started","event_ts":1795899990000,"payload":{"account_id":"AcctMadeUp01",'
    '"object":{"id":"85","host_id":"HostMadeUp01","topic":"Caf\u00e9 & <b>","url":"a/b"}}}'
).encode()


def signature(
    body: bytes = BODY, *, secret: str = SECRET, stamp: str = str(NOW), base: str = "v0:{}:"
) -> str:
    """As Zoom signs a body, or as `base` says."""
    signed = base.format(stamp).encode() + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def headers(body: bytes = BODY, /, **more: str) -> dict[str, str]:
    """The headers of a delivery."""
    return {
        "Host": "hooks.example",
        "Content-Type": "application/json; charset=utf-8",
        "X-Zm-Request-Timestamp": str(NOW),
        "X-Zm-Signature": signature(body),
        **more,
    }


def raw(
    body: bytes = BODY,
    *,
    end: bytes = b"\r\n",
    path: str = "/webhook",
    signed: dict[str, str] | None = None,
) -> bytes:
    """Raw text without Content-Length."""
    lines = [f"POST {path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in (signed or headers(body)).items()]
    return end.join(line.encode() for line in lines) + end + end + body


def har(body: str | None = None, **posted: Any) -> dict[str, Any]:
    """An entry of a HAR file."""
    return {
        "request": {
            "method": "POST",
            "url": "https://hooks.example/zoom/in?x=1",
            "headers": [{"name": name, "value": value} for name, value in headers().items()],
            "postData": {"text": BODY.decode() if body is None else body, **posted},
        }
    }


def gateway_v1(*, encoded: bool = False) -> dict[str, Any]:
    """An event of a REST API of API Gateway."""
    return {
        "resource": "/in",
        "path": "/in",
        "httpMethod": "POST",
        "headers": headers(),
        "multiValueHeaders": {name: [value] for name, value in headers().items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"httpMethod": "POST", "stage": "prod"},
        **_body(encoded=encoded),
    }


def gateway_v2(*, encoded: bool = True) -> dict[str, Any]:
    """An event of an HTTP API, or of a function URL."""
    return {
        "version": "2.0",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {name.lower(): value for name, value in headers().items()},
        "requestContext": {"http": {"method": "POST", "path": "/"}},
        **_body(encoded=encoded),
    }


def zoom_log() -> dict[str, Any]:
    """A page of Zoom's webhook log with one entry."""
    entry = {
        "event": "meeting.started",
        "status": 500,
        "endpoint": "https://hooks.example/in",
        "request_headers": json.dumps(headers()),
        "request_body": BODY.decode(),
    }
    return {"webhook_logs": [entry]}


def _body(*, encoded: bool) -> dict[str, Any]:
    if encoded:
        return {"body": base64.b64encode(BODY).decode(), "isBase64Encoded": True}
    return {"body": BODY.decode(), "isBase64Encoded": False}


def curl(options: str, *, url: str = "https://hooks.example/in") -> bytes:
    """A cURL command with the headers of the delivery."""
    given = " ".join(f"-H '{name}: {value}'" for name, value in headers().items())
    return f"curl '{url}' {given} {options}".encode()


def captured(content: bytes, *, entry: int | None = None) -> CapturedRequest:
    """A capture, read as the command reads it."""
    return read_capture(
        content, entry=entry, fits=lambda one: one.header(b"x-zm-signature") is not None
    )


def explained(
    content: bytes | CapturedRequest, *secrets: str, now: float = NOW, **known: Any
) -> Explanation:
    """The explanation of a capture."""
    found = captured(content) if isinstance(content, bytes) else content
    settings = DeliverySettings(secrets=secrets or (SECRET,), **known)
    return explain_delivery(settings, found, now=now)


def said(content: bytes | CapturedRequest, *secrets: str, **more: Any) -> str:
    """All lines of it."""
    return "\n".join(explained(content, *secrets, **more).lines())
