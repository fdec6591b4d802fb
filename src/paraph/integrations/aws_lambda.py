"""Webhooks on AWS Lambda: behind API Gateway (REST and HTTP), a function URL or a load balancer.

::

    @lambda_webhook(Webhooks(secret=os.environ["ZOOM_SECRET_TOKEN"]))
    def handler(received): ...

The function is called with an event that Zoom signed, and with nothing else. Put long work into a
queue: Zoom closes the connection after three seconds.
"""

from __future__ import annotations

import base64
import functools
import inspect
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from paraph.errors import UsageError
from paraph.integrations.webhook_views import JSON, Deliveries, Handler
from paraph.webhooks import Received, Webhooks
from paraph.zoom.webhook_response import REFUSED, TOO_LONG, Response
from paraph.zoom.webhook_verification import MAX_BODY_BYTES

__all__ = ["lambda_webhook"]

Invocation = Mapping[str, Any]
_NOT_ALLOWED: Response = (405, b'{"error":"only POST is served here"}')
# Base64 has four characters for three bytes.
_MAX_BASE64 = (MAX_BODY_BYTES + 2) // 3 * 4


def lambda_webhook(
    webhooks: Webhooks,
) -> Callable[[Handler], Callable[[Invocation, object], dict[str, Any]]]:
    """Make a Lambda handler from a function of one event.

    An exception of the function fails the invocation; the gateway responds with a 5xx, and Zoom
    sends the event again.

    Args:
        webhooks: verifies the deliveries.

    Raises:
        UsageError: the function is async, which Lambda does not run.

    Example:
        @lambda_webhook(webhooks)
        def handler(received):
            print(received.name)
    """
    deliveries = Deliveries(webhooks)

    def decorate(handler: Handler) -> Callable[[Invocation, object], dict[str, Any]]:
        if inspect.iscoroutinefunction(handler):
            raise UsageError(
                "the function is async, and Lambda does not run it",
                remedy="Write it without async, or call asyncio.run in it.",
            )

        @functools.wraps(handler)
        def invoke(event: Invocation, _context: object = None) -> dict[str, Any]:
            received, response = _receive(deliveries, event)
            if received is not None:
                handler(received)
            return _result(event, response)

        return invoke

    return decorate


def _receive(deliveries: Deliveries, event: Invocation) -> tuple[Received | None, Response]:
    if _method(event) != "POST":
        return None, _NOT_ALLOWED
    text = event.get("body") or ""
    if not isinstance(text, str):
        # An invocation that a person wrote by hand, with the body as parsed JSON.
        return deliveries.receive(_headers(event), text)
    if not event.get("isBase64Encoded"):
        body = text.encode("utf-8", "surrogatepass")
    elif len(text) > _MAX_BASE64:
        return None, TOO_LONG
    else:
        try:
            body = base64.b64decode(text, validate=True)
        except ValueError:
            return None, REFUSED
    return deliveries.receive(_headers(event), body)


def _method(event: Invocation) -> str:
    context = event.get("requestContext") or {}
    found = event.get("httpMethod") or (context.get("http") or {}).get("method")
    if not isinstance(found, str):
        raise UsageError(
            "the invocation is no HTTP request",
            remedy="Invoke it by API Gateway, a function URL or a load balancer.",
        )
    return found


def _headers(event: Invocation) -> list[tuple[str, object]]:
    """Return every header as often as it was sent, as far as the gateway shows it.

    REST gateways have both tables, and the single one keeps only the last value of a name.
    """
    several = event.get("multiValueHeaders") or {}
    names = {name.lower() for name in several}
    single = event.get("headers") or {}
    return [*several.items(), *(pair for pair in single.items() if pair[0].lower() not in names)]


def _result(event: Invocation, response: Response) -> dict[str, Any]:
    status, body = response
    result = {"statusCode": status, "isBase64Encoded": False, "body": body.decode()}
    is_balancer = "elb" in (event.get("requestContext") or {})
    if is_balancer:
        result["statusDescription"] = f"{status} {HTTPStatus(status).phrase}"
    # A load balancer that sends several values for a name expects them in the response, too.
    if is_balancer and event.get("multiValueHeaders") is not None:
        return {**result, "multiValueHeaders": {"content-type": [JSON]}}
    return {**result, "headers": {"content-type": JSON}}
