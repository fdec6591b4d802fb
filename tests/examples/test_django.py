"""The Django example as processes of WSGI and ASGI servers: installed through, and attacked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from examples.attacked import check_product
from examples.products import (
    EXAMPLES,
    Example,
    install_through,
    running,
    send_event,
    walk_through,
)
from paraph.simulator.running import SimulatedZoom

PASSWORD = "tide-and-time-wait"
SERVERS = {
    "gunicorn, sync": ("gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}", "tidemark.wsgi"),
    "gunicorn, gthread": (
        *("gunicorn", "--workers", "2", "--threads", "4"),
        *("--bind", "127.0.0.1:{port}", "tidemark.wsgi"),
    ),
    "uvicorn": ("uvicorn", "--port", "{port}", "tidemark.asgi:application"),
    "runserver": ("python", "manage.py", "runserver", "--noreload", "127.0.0.1:{port}"),
}
DJANGO = Example(
    name="django",
    folder=EXAMPLES / "django",
    prefix="/integrations/zoom",
    prepare=(
        ("{bin}/python", "manage.py", "migrate", "--verbosity", "0"),
        (
            *("{bin}/python", "manage.py", "createsuperuser", "--noinput", "--verbosity", "0"),
            *("--username", "ada", "--email", "ada@tidemark.example"),
        ),
    ),
    command=("{bin}/gunicorn", *SERVERS["gunicorn, gthread"][1:]),
    environment={
        "TIDEMARK_DATA": "{folder}",
        "SECRET_KEY": "jx1-kW0qz8Rn4vUc7bYt2mPs5dLf9hGa3eXo6iKr",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    },
    sign_in="/login/",
    sign_in_fields={"username": "{subject}", "password": PASSWORD},
)


def on(server: str) -> Example:
    """The example on a server."""
    program, *rest = SERVERS[server]
    return replace(DJANGO, name=f"django on {server}", command=(f"{{bin}}/{program}", *rest))


@pytest.mark.slow
@pytest.mark.parametrize("server", SERVERS)
def test_a_stranger_walks_through_it(server: str, zoom: SimulatedZoom, tmp_path: Path) -> None:
    """Denied consent, install, event, expired grant, removal, disconnection, and SIGTERM."""
    with running(on(server), zoom, tmp_path) as product:
        walk_through(product)
