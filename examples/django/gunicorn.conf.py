"""For gunicorn: the service starts in each worker, after the fork, and ends with it."""

from typing import Any

from paraph.integrations.django import zoom


def post_worker_init(worker: Any) -> None:  # noqa: ARG001 - As gunicorn calls it.
    zoom.start()


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ARG001
    zoom.stop()
