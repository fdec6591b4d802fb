"""The tutorial for Django, its commands run line by line."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from examples.products import ROOT, Example, install_through, running, send_event, sign_in
from paraph.simulator.running import SimulatedZoom
from paraph.simulator.state.world import load_world

TUTORIAL = ROOT / "docs" / "tutorials" / "django.md"
BIN = Path(sys.executable).parent
# They make an environment, which is there, or run until they are stopped.
LEFT_OUT = re.compile(
    r"^(?:python3 -m venv|\. \.venv|pip install|paraph simulate|python manage.py runserver).*\n",
    re.MULTILINE,
)


def commands() -> str:
    """All commands of the tutorial, with free ports in the place of its own."""
    blocks = re.findall(r"^```sh\n(.*?)^```", TUTORIAL.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = LEFT_OUT.sub("", "".join(blocks))
    return lines.replace("http://localhost:8100", "{zoom}").replace(":8000", ":{port}")


@pytest.mark.slow
def test_a_stranger_follows_it(zoom: SimulatedZoom, tmp_path: Path) -> None:
    """A new project is made, checked, installed through, and counts a meeting."""
    site = "cd tidemark-site; unset ${!PARAPH_*}"
    serve = f"{site}; exec {BIN}/python manage.py runserver --noreload 127.0.0.1:{{port}}"
    example = Example(
        name="the tutorial",
        folder=tmp_path,
        prefix="/integrations/zoom",
        prepare=(("bash", "-euc", f"unset ${{!PARAPH_*}}; PATH={BIN}:$PATH\n{commands()}"),),
        command=("bash", "-c", serve),
        sign_in="/admin/login/?next=/",
        sign_in_fields={"username": "ada", "password": "tide-and-time"},
        sign_in_button="Log in",
    )
    with running(example, zoom, tmp_path) as product:
        browser = install_through(product, browser=sign_in(product))
        send_event(product, browser)
        (app,) = load_world(tmp_path / "tidemark-site" / "world.toml").apps
        assert zoom.app.redirect_uris == app.redirect_uris
        assert (zoom.app.client_id, zoom.app.client_secret) == (app.client_id, app.client_secret)
        assert (zoom.app.event_url, zoom.app.webhook_secret) == (app.event_url, app.webhook_secret)
