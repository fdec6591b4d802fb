"""Handlers in `zoom_handlers.py`, which use the ORM."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from django_site import Site, hidden_fields
from paraph.errors import UsageError
from service_kit import ACCOUNT, JANE

MEETING = {
    "account_id": ACCOUNT,
    "object": {"id": "1", "uuid": "u1==", "host_id": JANE, "topic": "Tide tables"},
}
SECONDS = 20


@contextmanager
def saved() -> Iterator[threading.Event]:
    """A signal of Django's for each row that a handler writes."""
    from django.db.models.signals import post_delete, post_save
    from tidemark.models import EndedMeeting

    event = threading.Event()

    def notice(**_named: Any) -> None:
        event.set()

    post_save.connect(notice, EndedMeeting)
    post_delete.connect(notice, EndedMeeting)
    yield event
    post_save.disconnect(notice, EndedMeeting)
    post_delete.disconnect(notice, EndedMeeting)


def test_a_handler_writes_rows(site: Site) -> None:
    """The example counts a meeting once, and deletes it when the installation is removed."""
    jane = site.browser("yara")
    site.install(jane)
    with saved() as written:
        assert 200 == site.post_webhook("meeting.ended", MEETING).status_code
        assert written.wait(SECONDS)
    assert "<li>Tide tables</li>" in jane.get("/", secure=True).content.decode()
    with saved() as deleted:
        data = hidden_fields(jane.get("/", secure=True))
        headers = {"referer": "https://localhost/"}
        assert 302 == jane.post("/disconnect", data, secure=True, headers=headers).status_code
        assert deleted.wait(SECONDS)
    assert "Connect Zoom" in jane.get("/", secure=True).content.decode()


@pytest.mark.parametrize("kind", ["coroutine", "plain"])
def test_connections_are_checked_around_a_handler(
    project: None, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after each call, in its thread; coroutines run there too."""
    from paraph.integrations.django import handlers

    steps: list[Any] = []

    def check() -> None:
        steps.append(("checked", threading.get_ident()))

    def plain(event: str) -> None:
        steps.append((event, threading.get_ident()))

    async def asynchronous(event: str) -> None:
        from asgiref.sync import sync_to_async

        await sync_to_async(plain)(event)

    monkeypatch.setattr(handlers, "close_old_connections", check)
    handlers.with_connections(asynchronous if kind == "coroutine" else plain)("ended")
    assert ["checked", "ended", "checked"] == [name for name, _thread in steps]
    assert {threading.get_ident()} == {thread for _name, thread in steps}


def test_a_name_that_never_occurs_is_refused(project: None) -> None:
    """At import, with the name that is meant."""
    from paraph.integrations.django import on

    with pytest.raises(UsageError) as refused:
        on("app_deauthorized")
    assert "installation.removed" in refused.value.remedy


def test_handlers_keep_their_arguments(project: None) -> None:
    """A handler takes one to three values, whatever wraps it."""
    import inspect

    from paraph.integrations.django import handlers

    def ended(event: Any, installation: Any) -> None: ...

    given: list[tuple[str, Callable[..., Any]]] = []
    handlers.register_with(lambda pattern: lambda call: given.append((pattern, call)))
    assert {"meeting.ended", "installation.removed"} == {pattern for pattern, _call in given}
    assert 2 == len(inspect.signature(handlers.with_connections(ended)).parameters)
