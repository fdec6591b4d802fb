"""Posts every kind of delivery to Django views: prints status and effect of each as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from importlib import import_module

from integrations.webhook_deliveries import Delivery, deliveries, webhooks
from paraph.integrations.webhook_views import django_webhook

import_module("django.conf").settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for this script",
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    # Lower than a delivery may be: the view has a limit of its own.
    DATA_UPLOAD_MAX_MEMORY_SIZE=10,
    LOGGING_CONFIG=None,
)
import_module("django").setup()
path = import_module("django.urls").path
test = import_module("django.test")
called: list[str] = []


@django_webhook(webhooks())
def on_event(received: Any) -> None:
    """Note the event."""
    called.append(received.name)


@django_webhook(webhooks())
async def on_event_later(received: Any) -> None:
    """Note the event."""
    called.append(received.name)


def reading_first(request: Any) -> Any:
    """A view whose body a middleware has read."""
    assert request.read
    request._body = request.read()
    request._stream = import_module("io").BytesIO(request._body)
    return on_event(request)


urlpatterns = [
    path("plain", on_event),
    path("async", on_event_later),
    path("read", reading_first),
]


async def post_async(one: Delivery) -> Any:
    """Send through the ASGI handler."""
    client = test.AsyncClient(enforce_csrf_checks=True)
    return await client.post(
        "/async", one.body, content_type="application/json", headers=dict_of(one)
    )


def post(one: Delivery, where: str = "/plain") -> Any:
    """Send through the WSGI handler."""
    client = test.Client(enforce_csrf_checks=True)
    return client.post(where, one.body, content_type="application/json", headers=dict_of(one))


def dict_of(one: Delivery) -> dict[str, str]:
    """The headers as a server joins them."""
    joined: dict[str, str] = {}
    for name, value in one.headers:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def result(response: Any) -> list[object]:
    """Status and effect."""
    had_effect = called == ["meeting.ended"]
    called.clear()
    return [response.status_code, had_effect]


found: dict[str, dict[str, list[object]]] = {"plain": {}, "async": {}}
for name, one in deliveries().items():
    found["plain"][name] = result(post(one))
    found["async"][name] = result(asyncio.run(post_async(one)))
reading_first.csrf_exempt = True  # type: ignore[attr-defined]
for kind, url in (("plain", "/plain"), ("async", "/async")):
    found[kind]["GET"] = result(test.Client().get(url))
    found[kind]["read before"] = result(post(deliveries()["genuine"], "/read"))
print(json.dumps(found))  # noqa: T201 - The result of the script.
