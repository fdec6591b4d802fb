"""A real CONNECT proxy: Squid, with Basic authentication and names of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ports import reserve_ports
from programs import need_program, skip_test

USERNAME, PASSWORD = "paraph", "p@ss:w/ord-4jT8"
DENIED = "denied.example"
_AUTHENTICATION = "/usr/lib/squid/basic_ncsa_auth"
_CONFIGURATION = """
http_port 127.0.0.1:{port}
pid_filename none
cache deny all
cache_mem 1 MB
cache_log /dev/null
cache_store_log none
logformat targets %>Hs %ru
access_log stdio:{folder}/access.log targets
buffered_logs off
hosts_file {folder}/hosts
coredump_dir {folder}
shutdown_lifetime 0 seconds
visible_hostname squid
dns_nameservers 127.0.0.1
dns_timeout 1 seconds
auth_param basic program {authentication} {folder}/passwords
auth_param basic children 1 startup=1 idle=1
acl known proxy_auth REQUIRED
acl denied dstdomain {denied}
http_access deny denied
http_access allow known
http_access deny all
"""


@dataclass(frozen=True, slots=True)
class Squid:
    """A proxy that runs."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        """The setting `outgoing_proxy` for it."""
        return f"http://{USERNAME}:p%40ss%3Aw%2Ford-4jT8@127.0.0.1:{self.port}"

    @property
    def url_without_credentials(self) -> str:
        """The same, as logs may show it."""
        return f"http://127.0.0.1:{self.port}"

    def targets(self) -> list[str]:
        """Destinations of tunnels that have ended, each with the proxy's status."""
        return (self.folder / "access.log").read_text().splitlines()

    def await_target(self, line: str) -> None:
        """Wait until a tunnel has ended: the proxy writes the line a moment later."""
        end = time.monotonic() + 10
        while line not in self.targets():
            assert time.monotonic() < end, self.targets()
            time.sleep(0.01)


@contextmanager
def squid(names: Sequence[str]) -> Iterator[Squid]:
    """Run the proxy. It has names of its own for this machine, which nothing else can resolve.

    Args:
        names: names that the proxy resolves to 127.0.0.1.
    """
    program = need_program("squid", "/usr/sbin/squid")
    if not Path(_AUTHENTICATION).exists():
        skip_test(f"{_AUTHENTICATION} is not installed on this machine")
    # Squid gives up its rights, and pytest's folders are for their owner only.
    folder = Path(tempfile.mkdtemp(prefix="paraph-squid-"))
    folder.chmod(0o777)
    (folder / "hosts").write_text(f"127.0.0.1 {' '.join([*names, DENIED])}\n")
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", PASSWORD], capture_output=True, text=True, check=True
    )
    (folder / "passwords").write_text(f"{USERNAME}:{hashed.stdout}")
    port = reserve_ports(1)[0]
    (folder / "squid.conf").write_text(
        _CONFIGURATION.format(
            port=port, folder=folder, authentication=_AUTHENTICATION, denied=DENIED
        )
    )
    process = subprocess.Popen(
        [program, "-N", "-f", str(folder / "squid.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield Squid(port, folder)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise OSError(f"squid did not listen on {port}")
