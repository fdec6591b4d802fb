"""Fixtures that every test may use, and the count of the tests of both suites."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import suites
from cheap_process import (
    compile_statements_once,
    keep_modules_out_of_collections,
    load_authorities_once,
    wait_longer_for_responses,
)
from databases import new_sqlite
from paraph.logs import set_up_logs
from postgres_server import PostgresServer

# A test that takes `database_url` runs once for each kind of database.
DATABASES = ["sqlite", "postgresql"]
# Here `make test` takes SQLite alone. The contract tests of the stores and inboxes, which these
# parts stand on, run on both.
POSTGRESQL_IN_VERIFY = {"api", "endpoints", "events", "lifecycle", "operations", "service"}
# The contract of the inboxes is tested on both here, too.
_CONTRACTS = {"test_inbox.py", "test_inbox_contract.py", "test_retention.py"}


compile_statements_once()
load_authorities_once()
wait_longer_for_responses()
# No test needs a quiet machine; a hang is ended by the timeout of pytest.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """Save CPU from here on."""
    keep_modules_out_of_collections()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes the list of suites."""
    parser.addoption("--write-suites", action="store_true", help="write project/suites.txt")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark and count the tests of every file before `-m` deselects those of the other suite."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        is_on_postgresql = callspec is not None and "postgresql" in callspec.params.values()
        room, name = item.path.parent.name, item.path.name
        is_above = room in POSTGRESQL_IN_VERIFY and name not in _CONTRACTS
        if is_on_postgresql and (is_above or item.get_closest_marker("slow_on_postgresql")):
            item.add_marker(pytest.mark.slow)
    found = suites.count_tests(items)
    config.stash[suites.COLLECTED] = found
    if config.getoption("--write-suites"):
        suites.write_list(found)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The log lines of a test, each a JSON object."""
    stream = io.StringIO()
    set_up_logs(stream=stream, as_json=True)
    yield stream
    set_up_logs(stream=io.StringIO())


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, started when the first test asks for it."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgresql_url(postgres: PostgresServer) -> Iterator[str]:
    """The URL of a new PostgreSQL database with all tables and no row."""
    with postgres.lend_database() as url:
        yield url


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new database of each kind, with all tables and no row."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return new_sqlite(tmp_path / "paraph.db")


@pytest.fixture
def empty_postgresql_url(postgres: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    url = postgres.create_database(empty=True)
    yield url
    postgres.drop_database(url)


@pytest.fixture(params=DATABASES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind, to which no migration was applied yet."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("empty_postgresql_url"))
    return f"sqlite:///{tmp_path / 'paraph.db'}"


@pytest.fixture
def other_database_url(
    database_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """The URL of a second database of the same kind."""
    if database_url.startswith("sqlite"):
        yield new_sqlite(tmp_path / "other.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.lend_database() as url:
        yield url
