"""Webhooks on AWS Lambda: every form of invocation is read, and every response has its form."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from integrations.webhook_deliveries import (
    EVENT,
    SECRET,
    Delivery,
    Pairs,
    deliveries,
    signed,
    webhooks,
)
from paraph.errors import UsageError
from paraph.integrations.aws_lambda import lambda_webhook
from paraph.webhooks import Webhooks

KINDS = ("rest", "http", "url", "balancer", "balancer with lists")


def tables(headers: Pairs) -> tuple[dict[str, str], dict[str, str], dict[str, list[str]]]:
    """Headers with the last value of each name, joined by commas, and as lists."""
    last: dict[str, str] = {}
    joined: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    for name, value in headers:
        last[name.title()] = value
        joined[name] = f"{joined[name]},{value}" if name in joined else value
        lists.setdefault(name.title(), []).append(value)
    return last, joined, lists


def invocation(kind: str, one: Delivery, *, base_64: bool, method: str = "POST") -> dict[str, Any]:
    """A request as a gateway of this kind describes it."""
    last, joined, lists = tables(one.headers)
    body = base64.b64encode(one.body).decode() if base_64 else one.body.decode()
    event: dict[str, Any] = {"body": body, "isBase64Encoded": base_64}
    if kind in {"http", "url"}:
        context = {"http": {"method": method, "path": "/"}}
        return {**event, "version": "2.0", "headers": joined, "requestContext": context}
    event["httpMethod"] = method
    if kind == "rest":
        return {**event, "headers": last, "multiValueHeaders": lists, "requestContext": {}}
    context = {"elb": {"targetGroupArn": "arn"}}
    if kind == "balancer":
        return {**event, "headers": joined, "requestContext": context}
    return {**event, "multiValueHeaders": lists, "requestContext": context}


@pytest.mark.parametrize("base_64", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_every_request_gets_its_response(kind: str, *, base_64: bool) -> None:
    """The status is that of the service, and only a new genuine event calls the function."""
    called: list[str] = []

    @lambda_webhook(webhooks())
    def handler(received: Any) -> str:
        called.append(received.name)
        return "ignored"

    for name, one in deliveries().items():
        called.clear()
        result = handler(invocation(kind, one, base_64=base_64), None)
        effect = called == ["meeting.ended"]
        assert (name, one.status, one.has_effect) == (name, result["statusCode"], effect)
        assert result["isBase64Encoded"] is False
        json.loads(result["body"])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("rest", {"headers": {"content-type": "application/json"}}),
        ("http", {"headers": {"content-type": "application/json"}}),
        (
            "balancer",
            {
                "headers": {"content-type": "application/json"},
                "statusDescription": "200 OK",
            },
        ),
        (
            "balancer with lists",
            {
                "multiValueHeaders": {"content-type": ["application/json"]},
                "statusDescription": "200 OK",
            },
        ),
    ],
)
def test_the_response_has_the_form_of_its_gateway(kind: str, expected: dict[str, Any]) -> None:
    """Load balancers want a description, and lists where they send lists."""
    handler = lambda_webhook(Webhooks(SECRET))(lambda _received: None)
    result = handler(invocation(kind, deliveries()["genuine"], base_64=True), None)
    assert {"statusCode": 200, "isBase64Encoded": False, "body": "{}", **expected} == result


@pytest.mark.parametrize("kind", KINDS)
def test_another_method_is_refused(kind: str) -> None:
    """Only POST is a delivery, also where the route lets every method through."""
    handler = lambda_webhook(Webhooks(SECRET))(lambda _received: None)
    genuine = deliveries()["genuine"]
    assert 405 == handler(invocation(kind, genuine, base_64=True, method="GET"), None)["statusCode"]


def test_broken_base64_is_refused() -> None:
    """A body that is not what the gateway says gets the one refusal."""
    event = invocation("rest", Delivery(EVENT, signed(EVENT), 200), base_64=False)
    handler = lambda_webhook(Webhooks(SECRET))(lambda _received: None)
    assert 401 == handler({**event, "isBase64Encoded": True}, None)["statusCode"]


def test_empty_fields_are_a_refusal() -> None:
    """A gateway leaves empty fields out, or writes null."""
    handler = lambda_webhook(Webhooks(SECRET))(lambda _received: None)
    empty = {"httpMethod": "POST", "headers": None, "multiValueHeaders": None, "body": None}
    assert 401 == handler(empty, None)["statusCode"]


@pytest.mark.parametrize("event", [{}, {"source": "aws.events", "detail": {}}])
def test_another_invocation_is_a_mistake_of_the_caller(event: dict[str, Any]) -> None:
    """A timer or a queue that invokes the function is a wrong set-up, and said so."""
    handler = lambda_webhook(Webhooks(SECRET))(lambda _received: None)
    with pytest.raises(UsageError, match="no HTTP request"):
        handler(event, None)


def test_a_parsed_body_is_a_mistake_of_the_caller() -> None:
    """A body that somebody parsed cannot be verified."""
    handler = lambda_webhook(Webhooks(SECRET))(lambda _received: None)
    event = {"httpMethod": "POST", "headers": {}, "body": {"event": "meeting.ended"}}
    with pytest.raises(UsageError, match="not the bytes that arrived"):
        handler(event, None)


def test_an_async_function_is_refused() -> None:
    """Its coroutine would never run, and the event would be lost with a 200."""

    async def on_event(_received: Any) -> None:
        """Never run."""

    with pytest.raises(UsageError, match="async"):
        lambda_webhook(Webhooks(SECRET))(on_event)


def test_an_exception_fails_the_invocation() -> None:
    """The gateway then responds with a 5xx, and Zoom sends the event again."""

    @lambda_webhook(Webhooks(SECRET))
    def handler(received: Any) -> None:
        raise LookupError(received.name)

    with pytest.raises(LookupError):
        handler(invocation("http", deliveries()["genuine"], base_64=True), None)
