"""The service inside gunicorn's workers: one refresh, no lost event, an end in time.

The walk through the Flask product, in `tests/examples`, is the quick test of two such processes.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from integrations.gunicorn_server import STOP_SECONDS, Gunicorn, eventually, running_gunicorn

THREADS = ("--worker-class", "gthread", "--threads", "8")


def one_refresh_at_an_expiry(server: Gunicorn) -> None:
    """Many callers of both processes meet an expired token: Zoom is asked once."""
    before = server.refreshes()
    server.expire_token()
    with server.zoom.fault("token_slow", seconds=0.3):
        assert 1 == len(server.tokens(16))
    assert before + 1 == server.refreshes()


@pytest.mark.slow
def test_two_processes_with_threads(tmp_path: Path) -> None:
    """Installed through them; one refresh at an expiry; events arrive; SIGTERM ends them."""
    with running_gunicorn(tmp_path, *THREADS) as server:
        server.link()
        one_refresh_at_an_expiry(server)
        assert [200] * 8 == [server.post_event(number) for number in range(8)]
        for _ in eventually():
            if len(server.handled()) == 8:
                break
        assert STOP_SECONDS > server.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("app", "options"),
    [
        ("wsgi", ("--worker-class", "sync")),
        ("wsgi", THREADS),
        ("asgi", ("--worker-class", "uvicorn.workers.UvicornWorker")),
    ],
    ids=["sync", "gthread", "uvicorn"],
)
def test_restarts_under_load_lose_no_event(
    app: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    """Reloaded, then one worker ended and one killed: every accepted event is handled."""
    settings = {"PARAPH_EVENT_TIMEOUT": "5"}
    with running_gunicorn(tmp_path, *options, app=app, settings=settings) as server:
        server.link()
        with server.events() as accepted:
            some_more(accepted)
            server.restart(signal.SIGHUP)
            some_more(accepted)
            server.restart(signal.SIGTERM, max(server.workers()))
            some_more(accepted)
            server.restart(signal.SIGKILL, max(server.workers()))
            some_more(accepted)
            one_refresh_at_an_expiry(server)
        for _ in eventually(90):
            if accepted <= set(server.handled()):
                break
        assert STOP_SECONDS > server.stop()
        assert "Traceback" not in server.log(), server.log()


def some_more(accepted: set[int]) -> None:
    """Wait until further events were accepted."""
    wanted = len(accepted) + 20
    for _ in eventually(60):
        if len(accepted) >= wanted:
            break
