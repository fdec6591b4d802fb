"""Extras: each one installs what its part imports, and no more; wheels run where only it is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from paraph.extras import EXTRA_OF, extra_of
from project.part_imports import distribution_of, extras, modules, requirements_of, third_party

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
    "django",
    "flask",
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
