"""Extras: each one installs what its part imports, and no more; wheels run where only it is."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from end_to_end.running_demo import start_demo
from nats_server import NatsServer
from paraph.extras import EXTRA_OF, extra_of
from project.extras_environment import EXAMPLES, IMPORTS, Installed, add, build_wheel, install
from project.part_imports import (
    ROOT,
    distribution_of,
    extras,
    modules,
    requirements_of,
    third_party,
)
from service_kit import PUBLIC_URL, give_back, simulated_zoom

# Parts that run with the base installation, and what of it they use.
BASE = (
    "paraph",
    "paraph.__main__",
    "paraph.cli.main",
    "paraph.errors",
    "paraph.explain.delivery",
    "paraph.extras",
    "paraph.simulator.running",
    "paraph.values",
    "paraph.webhooks",
)
# Packages that a part imports only where they are already installed.
OPTIONAL = {
    "msgspec": {"paraph.strict_json"},  # It makes the parser quicker.
    "pytest": {"paraph.simulator.pytest_plugin"},  # pytest itself loads the plugin.
}
# Requirements that no module imports.
UNIMPORTED = {
    "aiosqlite",  # SQLAlchemy's driver for SQLite.
    "asyncpg",  # Loaded by name when database_url names PostgreSQL.
    "sniffio",  # httpx looks for it.
}


def unmet(roots: Sequence[str], extra: str, *, late: bool = True) -> dict[str, set[str]]:
    """Packages that these modules import and that the extra does not install."""
    found = {
        package: importers - OPTIONAL.get(package, set())
        for package, importers in third_party(roots, extra, late=late).items()
    }
    allowed = requirements_of(extra)
    return {
        package: importers
        for package, importers in found.items()
        if importers and distribution_of(package) not in allowed
    }


def parts_of(extra: str) -> list[str]:
    """The modules of an extra."""
    return [name for name in modules() if extra_of(name) == extra]


def test_the_base_installation_is_small() -> None:
    """The base installation is paraph with at most three other distributions."""
    assert len(requirements_of("")) <= 3


def test_base_parts_import_nothing_else() -> None:
    """Webhooks, the command line and the explanation of a delivery run with the base alone."""
    known = [name for name in BASE if name in modules()]

    assert {} == unmet(known, "", late=False)
    assert {} == unmet(["paraph.explain.delivery"], "")


@pytest.mark.parametrize("extra", sorted(set(EXTRA_OF.values())))
def test_an_extra_installs_what_its_part_imports(extra: str) -> None:
    """No module of a part imports, even inside a function, what its extra does not install."""
    assert {} == unmet(parts_of(extra), extra)


@pytest.mark.parametrize("extra", sorted(set(EXTRA_OF.values())))
def test_an_extra_installs_nothing_else(extra: str) -> None:
    """Each requirement of an extra is imported by its part or by one that it includes."""
    parts = [
        name for name in modules() if requirements_of(extra_of(name)) <= requirements_of(extra)
    ]
    imported = {distribution_of(one) for one in third_party(parts, extra)}

    assert set() == requirements_of(extra) - imported - UNIMPORTED


def test_every_named_part_has_an_extra() -> None:
    """The table of extras names extras of the distribution, and modules that exist."""
    assert set(EXTRA_OF.values()) <= set(extras())
    assert {"installs", "client", "simulator", "check", "service", "postgres", "nats"} | {
        "django",
        "flask",
        "all",
    } == set(extras())


# The scripts in extras_examples/ that an extra runs; by default the one of its own name.
SCRIPTS = {
    "": ("base", "plugin"),
    "postgres": ("service",),
    "nats": ("service",),
    "django": ("django_project",),
    "flask": ("flask_app",),
    "all": ("check", "service", "django_project", "flask_app"),
}
# Packages that the simulator's users must not have to install.
DATABASES = {"alembic", "aiosqlite", "asyncpg", "pydantic", "pydantic-core", "sqlalchemy"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def peers(request: pytest.FixtureRequest, extra: str) -> Iterator[dict[str, str]]:
    """The environment variables of an example: its Zoom, its database, its service."""
    zoom = simulated_zoom()
    variables = {
        "ZOOM": zoom.url,
        "CLIENT_ID": zoom.app.client_id,
        "CLIENT_SECRET": zoom.app.client_secret,
        "WEBHOOK_SECRET": zoom.app.webhook_secret,
        "PUBLIC_URL": PUBLIC_URL,
    }
    if extra == "postgres":
        variables["DATABASE_URL"] = request.getfixturevalue("empty_postgresql_url")
    if extra == "nats":
        variables["EVENTS_URL"] = request.getfixturevalue("stream").events_url
    if extra == "client":
        variables |= request.getfixturevalue("management_api")
    yield variables
    give_back(zoom)


@pytest.fixture
def stream() -> Iterator[NatsServer]:
    """A NATS server with JetStream."""
    server = NatsServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def management_api() -> Iterator[dict[str, str]]:
    """A running service, and a key of its management API."""
    demo = start_demo("host")
    words = ["--label", "example", "--scope", "read", "--config", str(demo.folder / "paraph.toml")]
    done = subprocess.run(
        [sys.executable, "-m", "paraph", "api-keys", "create", *words],
        capture_output=True,
        check=True,
        text=True,
    )
    yield {"SERVICE": demo.private, "API_KEY": done.stdout.strip()}
    demo.stop()


def demand_size(installed: Installed) -> None:
    """Check what is promised about the size of an installation."""
    names = set(installed.distributions())
    if installed.extra == "":
        assert len(names) <= 4
        assert installed.import_seconds() < 0.1
    if installed.extra in {"", "installs", "client", "simulator", "check"}:
        assert set() == names & DATABASES


@pytest.mark.slow
@pytest.mark.parametrize("extra", IMPORTS)
def test_a_wheel_with_one_extra_runs_its_example(
    wheel: Path, tmp_path: Path, peers: dict[str, str], extra: str
) -> None:
    """In an empty environment the wheel and one extra are enough for the example of that extra."""
    installed = install(wheel, extra, tmp_path)

    demand_size(installed)
    scripts = SCRIPTS.get(extra, (extra,))
    if not {"plugin", "simulator"}.isdisjoint(scripts):
        add(installed, "pytest")
    for script in scripts:
        installed.run(str(EXAMPLES / f"{script}.py"), folder=tmp_path, **peers)


def test_the_page_names_every_extra() -> None:
    """docs/reference/extras.md describes each extra and measured each one."""
    page = (ROOT / "docs" / "reference" / "extras.md").read_text(encoding="utf-8")
    described = re.findall(r"^\| `([a-z]+)` \| .*\|$", page, re.MULTILINE)

    assert sorted(2 * extras()) == sorted(described)
    assert ["", *extras()] == list(IMPORTS)
