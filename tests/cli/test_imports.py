"""What a command imports before it works, by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SERVERS = frozenset({"fastapi", "starlette", "uvicorn", "aiohttp", "uvloop", "jinja2"})
STORAGE = frozenset({"sqlalchemy", "alembic", "aiosqlite", "asyncpg", "nats"})
HEAVY = SERVERS | STORAGE | {"pydantic", "pydantic_settings", "httpx", "rich", "typer"}
HELP = HEAVY | {"cryptography", "asyncio", "ssl", "structlog"}
GROUPS = ("keys", "api-keys", "installations", "events", "audit", "explain")
COMMANDS = ("demo", "serve", "simulate", "migrate", "backup", "restore", "check")


_REPORT = """
import atexit, json, sys
def report():
    with open("loaded", "w") as file:
        json.dump(sorted({name.split(".")[0] for name in sys.modules}), file)
atexit.register(report)
"""


def loaded(folder: Path, code: str, *words: str) -> set[str]:
    """The packages that a process has imported once the code has run."""
    subprocess.run(
        [sys.executable, "-c", _REPORT + code, *words],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("PARAPH_")},
        capture_output=True,
        check=False,
        input=b"POST /webhook HTTP/1.1\r\nHost: x\r\n\r\n{}",
    )
    return set(json.loads((folder / "loaded").read_text()))


def of_command(folder: Path, *words: str) -> set[str]:
    """What `paraph` with these words imports."""
    return loaded(folder, "from paraph.cli.main import main; main()", *words)


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        *((group, "--help") for group in GROUPS),
        *((command, "--help") for command in COMMANDS),
        ("explain", "webhook", "--help"),
        ("api-keys", "create", "--help"),
        ("keys", "new"),
        ("keys", "nwe"),
    ],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Help, usage errors and `keys new` load no server, database, cipher or table library."""
    imported = of_command(tmp_path, *words)

    assert "click" in imported
    assert set() == imported & HELP


@pytest.mark.parametrize("kind", ["webhook", "context", "redirect"])
def test_explain_needs_no_server_and_no_database(folder: Path, kind: str) -> None:
    """An explanation loads the core, and neither HTTP client nor storage nor judged settings."""
    imported = of_command(folder, "explain", kind, "-")

    assert "click" in imported
    assert set() == imported & (STORAGE | SERVERS | {"httpx", "rich"})
    if kind == "webhook":
        assert set() == imported & (HEAVY | {"cryptography", "asyncio"})


def test_the_pytest_plugin_loads_no_server(tmp_path: Path) -> None:
    """Pytest loads the plugin in every project where paraph is installed."""
    imported = loaded(tmp_path, "import paraph.simulator.pytest_plugin")

    assert set() == imported & (HEAVY | {"cryptography"})


def test_importing_the_service_loads_nothing_for_rare_calls(tmp_path: Path) -> None:
    """The management API, pages, migrations, metrics and the forwarder are imported when used."""
    imported = loaded(tmp_path, "from paraph import Zoom")

    assert "sqlalchemy" in imported
    rare = {"fastapi", "jinja2", "alembic", "prometheus_client", "aiohttp", "httpx"}
    assert set() == imported & rare
