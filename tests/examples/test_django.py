"""The Django example as processes of WSGI and ASGI servers: installed through, and attacked."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs

from examples.attacked import check_product, target_of
from examples.in_browser import install_in_browser
from examples.products import (
    EXAMPLES,
    ROOT,
    Example,
    eventually,
    install_through,
    running,
    walk_through,
)
from interoperability.environments import (
    KEPT,
    NotInstalledError,
    digest,
    python_environment,
)
from paraph.checks.target import Hook, Target
from paraph.simulator.running import SimulatedZoom

CHECKED = Path(__file__).parent / "django_checked"
RUN = ROOT / "requirements" / "run.txt"
DJANGO_6 = CHECKED / "django6.txt"
BIN = Path(sys.executable).parent
PASSWORD = "tide-and-time-wait"
SERVERS = {
    "gunicorn, sync": ("gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}", "tidemark.wsgi"),
    "gunicorn, gthread": (
        *("gunicorn", "--workers", "2", "--threads", "4"),
        *("--bind", "127.0.0.1:{port}", "tidemark.wsgi"),
    ),
    "uvicorn": ("uvicorn", "--http", "h11", "--port", "{port}", "tidemark.asgi:application"),
    "runserver": ("python", "manage.py", "runserver", "--noreload", "127.0.0.1:{port}"),
}
DJANGO = Example(
    name="django",
    folder=EXAMPLES / "django",
    prefix="/integrations/zoom",
    prepare=(
        (f"{BIN}/python", "manage.py", "migrate", "--verbosity", "0"),
        (
            *(f"{BIN}/python", "manage.py", "createsuperuser", "--noinput", "--verbosity", "0"),
            *("--username", "ada", "--email", "ada@tidemark.example"),
        ),
    ),
    command=(f"{BIN}/gunicorn", *SERVERS["gunicorn, gthread"][1:]),
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
    return replace(DJANGO, name=f"django on {server}", command=(f"{BIN}/{program}", *rest))


@pytest.mark.slow
@pytest.mark.parametrize("server", SERVERS)
def test_a_stranger_walks_through_it(server: str, zoom: SimulatedZoom, tmp_path: Path) -> None:
    """Denied consent, install, event, expired grant, removal, disconnection, and SIGTERM."""
    with running(on(server), zoom, tmp_path) as product:
        walk_through(product)


@pytest.mark.slow
def test_two_workers_share_one_refresh_and_lose_no_event(
    zoom: SimulatedZoom, tmp_path: Path
) -> None:
    """At an expiry one of many calls refreshes; events sent during a restart are all counted."""
    with running(on("gunicorn, gthread"), zoom, tmp_path) as product:
        browser = install_through(product)
        before = len(zoom.journal("/oauth/token"))
        zoom.advance(3600)
        cookies = {"cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies.items())}

        def call(_number: int) -> int:
            return httpx.get(product.at("/me"), headers=cookies, timeout=60).status_code

        with ThreadPoolExecutor(12) as pool:
            assert {200} == set(pool.map(call, range(24)))
        assert 1 == len(zoom.journal("/oauth/token")) - before
        topics = [f"Tide {number}" for number in range(12)]
        for number, topic in enumerate(topics):
            if number in {3, 7}:
                product.process.send_signal(signal.SIGHUP)
            zoom.send_event("meeting.ended", meeting(zoom, topic))

        def all_counted() -> bool:
            shown = browser.get(product.at("/")).text
            return all(f"<li>{topic}</li>" in shown for topic in topics)

        eventually(all_counted, product.output, seconds=60)
        # gunicorn loses a SIGTERM for a worker that still starts, and kills that one later.
        eventually(
            lambda: product.output.count("Worker exiting") == 4,
            product.output,
            seconds=60,
        )


def meeting(zoom: SimulatedZoom, topic: str) -> dict[str, Any]:
    """The payload of a meeting of the first user."""
    host = zoom.user
    meeting = {"id": "85746065", "uuid": topic, "host_id": host.id, "topic": topic}
    return {"account_id": host.account_id, "object": meeting}


@pytest.mark.slow
def test_it_works_with_django_6(zoom: SimulatedZoom, tmp_path: Path) -> None:
    """The same walk on the next series of Django, which needs Python 3.12 or later."""
    python = newer_python()
    folder = KEPT / f"django6-{digest(DJANGO_6)}-{digest(RUN)}"
    try:
        interpreter = python_environment(RUN, DJANGO_6, folder=folder, python=python)
    except NotInstalledError as error:
        pytest.skip(f"Django 6 cannot be installed: {error}")
    programs = interpreter.parent

    def moved(command: tuple[str, ...]) -> tuple[str, ...]:
        return (command[0].replace(str(BIN), str(programs)), *command[1:])

    example = replace(
        DJANGO,
        name="django 6",
        prepare=tuple(map(moved, DJANGO.prepare)),
        command=moved(DJANGO.command),
        environment={**DJANGO.environment, "PYTHONPATH": str(ROOT / "src")},
    )
    with running(example, zoom, tmp_path) as product:
        walk_through(product)


def newer_python() -> str:
    """A Python that Django 6 runs on; skips the test where there is none."""
    found = next(filter(is_python, ("python3.14", "python3.13", "python3.12")), None)
    if found is None:
        pytest.skip("no Python 3.12 or later, which Django 6 needs")
    return found


def is_python(name: str) -> bool:
    """Whether a program runs; a version manager has names that only say how to install one."""
    path = shutil.which(name)
    return path is not None and not subprocess.run([path, "-V"], check=False).returncode


@pytest.mark.every_attack
@pytest.mark.slow
def test_it_withstands_every_attack() -> None:
    """`paraph check` in full, with hooks for signing in and for looking at the links."""
    assert [] == check_product(checked_target())


@pytest.mark.slow
@pytest.mark.browser
def test_it_is_installed_in_a_browser(zoom: SimulatedZoom, tmp_path: Path, page: Any) -> None:
    """A real browser keeps the cookies on the way to Zoom and back."""
    with running(DJANGO, zoom, tmp_path) as product:
        install_in_browser(product, page)


def checked_target() -> Target:
    """The target of the example with the hooks in `django_checked`."""
    hooks = {
        "DJANGO_SETTINGS_MODULE": "checked_settings",
        "PYTHONPATH": f"{ROOT / 'src'}:{CHECKED}",
    }
    # This server listens only when the service has started; gunicorn listens before.
    target = target_of(replace(on("uvicorn"), environment={**DJANGO.environment, **hooks}))
    found = structs.replace(
        target.hooks,
        sign_in=Hook(url="{url}/hooks/sign-in", form={"user": "{subject}"}),
        sign_out=Hook(url="{url}/hooks/sign-out", form={}),
        links=Hook(method="GET", url="{url}/hooks/links"),
        use=Hook(url="{url}/hooks/use", json={"subject": "{subject}"}),
    )
    urls = structs.replace(target.urls, start="/integrations/zoom/start")
    return structs.replace(target, urls=urls, hooks=found)
