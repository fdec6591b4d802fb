"""Starts the service in each new worker of gunicorn, after the fork."""

from typing import Any

# A worker that has not ended by then is killed; its events are delivered again.
graceful_timeout = 7


def post_worker_init(_worker: Any) -> None:
    from app import zoom

    zoom.start()
