"""A real PgBouncer before a PostgreSQL server, started by the tests that need one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from ports import reserve_ports
from postgres_server import PostgresServer, die_with_parent
from programs import need_program

_NOBODY = 65534
_CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server_port} user=paraph
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {pool}
max_client_conn = 200
query_wait_timeout = 20
server_login_retry = 1
logfile = {folder}/log
pidfile = {folder}/pid
"""


class PgBouncer:
    """One pooler as Debian ships it. It ends with the process that started it.

    Args:
        server: what it pools connections to.
        mode: `session`, `transaction` or `statement`.
        pool: connections to the server for each database.
        tls: files of a certificate and its key, where TLS is offered to clients.
    """

    def __init__(
        self, server: PostgresServer, *, mode: str, pool: int, tls: tuple[Path, Path] | None = None
    ) -> None:
        self._program = need_program("pgbouncer")
        self._folder = Path(tempfile.mkdtemp(prefix="paraph-pgbouncer-", dir="/tmp"))
        (self.port,) = reserve_ports(1)
        (self._folder / "users").write_text('"paraph" ""\n')
        lines = _CONFIGURATION.format(
            server_port=server.port, port=self.port, folder=self._folder, mode=mode, pool=pool
        )
        if tls is not None:
            for kind, source in zip(("cert", "key"), tls, strict=True):
                shutil.copy(source, self._folder / kind)
                (self._folder / kind).chmod(0o644)
                lines += f"client_tls_{kind}_file = {self._folder / kind}\n"
            lines += "client_tls_sslmode = allow\n"
        (self._folder / "pgbouncer.ini").write_text(lines)
        self._owner: dict[str, Any] = {}
        if os.geteuid() == 0:
            # PgBouncer refuses to run as root.
            self._owner = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
            os.chown(self._folder, _NOBODY, _NOBODY)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        self._process = subprocess.Popen(
            [self._program, self._folder / "pgbouncer.ini"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - It takes no lock: one system call.
            **self._owner,
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                assert self._process.poll() is None, self._log()
                assert time.monotonic() < deadline, self._log()
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End at once, and delete the folder."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, direct_url: str) -> str:
        """The URL of the same database through the pooler."""
        return f"postgresql://paraph@127.0.0.1:{self.port}/{direct_url.rpartition('/')[2]}"

    def _log(self) -> str:
        log = self._folder / "log"
        return log.read_text(errors="replace")[-2_000:] if log.exists() else "no log"
