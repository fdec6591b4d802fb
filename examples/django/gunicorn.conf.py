"""For gunicorn: the service starts in each worker, after the fork, and ends with it."""

from typing import Any

from paraph.integrations.django import zoom

# A worker that has not ended by then is killed; its events are delivered again.
graceful_timeout = 7


def post_worker_init(worker: Any) -> None:  # noqa: ARG001 - As gunicorn calls it.
    zoom.start()


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ARG001
    zoom.stop()
