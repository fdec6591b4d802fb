"""For gunicorn: the service starts in each worker, after the fork."""

from typing import Any


def post_worker_init(worker: Any) -> None:  # noqa: ARG001 - As gunicorn calls it.
    from paraph.integrations.django import zoom

    zoom.start()
