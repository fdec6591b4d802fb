"""Runs the simulator, the service and the host product of the demo.

Simulator and service run as processes, the host product in this one. Zoom listens on `localhost`
and the service on `127.0.0.1`: two sites for a browser, so SameSite is exercised. New keys are
stored in a folder that only the user can read; it is deleted at the end.
"""

from __future__ import annotations

import asyncio
import base64
import ctypes
import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from paraph.demo.feed import Feed
from paraph.demo.host import Host, Places
from paraph.demo.ports import Ports, demand_free
from paraph.demo.service_client import ServiceClient
from paraph.errors import ConfigurationError

_READY_SECONDS = 30
_DEFAULT_PORTS = Ports()
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True, slots=True)
class Running:
    """A running demo: its URLs, a key of the management API, its folder, and its processes."""

    host_url: str
    zoom_url: str
    service_url: str
    private_url: str
    api_key: str
    folder: Path
    processes: dict[str, asyncio.subprocess.Process]


@asynccontextmanager
async def compose(
    linking: str, ports: Ports = _DEFAULT_PORTS, *, log: Path | None = None
) -> AsyncIterator[Running]:
    """Start all parts of the demo; when the block ends, stop them and delete the folder.

    Args:
        linking: "host" or "none", as in the setting of that name.
        ports: four free ports.
        log: the file of the service's log; by default a file in the temporary folder.

    Raises:
        ConfigurationError: a port is taken, or a part did not start.
    """
    demand_free(ports)
    folder = Path(tempfile.mkdtemp(prefix="paraph-demo-"))
    processes: dict[str, asyncio.subprocess.Process] = {}
    try:
        webhook_key = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        await _write_files(folder, linking, ports, webhook_key)
        settings = ("--config", str(folder / "paraph.toml"))
        api_key = await _output("api-keys", "create", "--label", "Tidemark", *_SCOPES, *settings)
        world = ("--world", str(folder / "world.toml"))
        processes["simulator"] = await _start(
            folder / "simulator.log", "simulate", "--port", str(ports.zoom), *world
        )
        processes["service"] = await _start(log or folder / "service.log", "serve", *settings)
        running = Running(
            host_url=f"http://{ports.host_address}:{ports.host}",
            zoom_url=f"http://localhost:{ports.zoom}",
            service_url=f"http://127.0.0.1:{ports.service}",
            private_url=f"http://127.0.0.1:{ports.private}",
            api_key=api_key,
            folder=folder,
            processes=processes,
        )
        for name, port in (("simulator", ports.zoom), ("service", ports.service)):
            await _until_listening(name, processes[name], port)
        await _until_listening("service", processes["service"], ports.private)
        async with _host(running, linking, ports, webhook_key):
            yield running
    finally:
        await _stop(processes)
        shutil.rmtree(folder, ignore_errors=True)


_SCOPES = ("--scope", "link", "--scope", "read")


@dataclass(frozen=True, slots=True)
class _Credentials:
    """The fresh credentials of the demo's app, and the key that signs events for the host."""

    client_id: str
    client_key: str = field(repr=False)
    event_key: str = field(repr=False)
    webhook_key: str = field(repr=False)


async def _write_files(folder: Path, linking: str, ports: Ports, webhook_key: str) -> None:
    credentials = _Credentials(
        f"Demo{secrets.token_urlsafe(12)}",
        secrets.token_urlsafe(24),
        secrets.token_urlsafe(24),
        webhook_key,
    )
    encryption_key = await _output("keys", "new")
    for name, text in (
        ("world.toml", _world(credentials, ports)),
        ("paraph.toml", _settings(credentials, folder, linking, ports, encryption_key)),
    ):
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")


def _world(credentials: _Credentials, ports: Ports) -> str:
    service = f"http://127.0.0.1:{ports.service}"
    return f"""\
[[accounts]]
id = "AbcDEFghiJKLmnoPQRst01"

[[users]]
id = "KDcuGIm1QgePTO8WbOqwIQ"
email = "jane@example.com"
display_name = "Jane Dev"
role = "admin"

[[users]]
id = "z8yCxTTTTSiw02QgCAp8uQ"
email = "ravi@example.com"
display_name = "Ravi Member"

[[users]]
id = "Qm3sLw0kR9yB5nTf1XhZ2g"
email = "mallory@example.com"
display_name = "Mallory Attacker"

[[apps]]
client_id = "{credentials.client_id}"
client_secret = "{credentials.client_key}"
webhook_secret = "{credentials.event_key}"
redirect_uris = ["{service}/marketplace", "{service}/oauth/redirect"]
event_url = "{service}/webhook"
deauthorization_url = "{service}/webhook"
scopes = ["user:read:user", "meeting:read:meeting"]
optional_scopes = ["cloud_recording:read:recording"]
"""


def _settings(
    credentials: _Credentials, folder: Path, linking: str, ports: Ports, encryption_key: str
) -> str:
    service = f"http://127.0.0.1:{ports.service}"
    zoom = f"http://localhost:{ports.zoom}"
    host = f"http://{ports.host_address}:{ports.host}"
    pages = f'start_url = "{host}/zoom/start"\nlink_url = "{host}/zoom/link"\n'
    return f"""\
app_name = "Tidemark"
client_id = "{credentials.client_id}"
client_secret = "{credentials.client_key}"
webhook_secrets = ["{credentials.event_key}"]
public_url = "{service}"
public_bind = "127.0.0.1:{ports.service}"
private_bind = "127.0.0.1:{ports.private}"
database_url = "sqlite:///{folder / "paraph.db"}"
encryption_keys = ["{encryption_key}"]
linking = "{linking}"
{pages if linking == "host" else ""}\
required_scopes = ["user:read:user", "meeting:read:meeting"]
authorization_server = "{zoom}"
api_servers = ["{zoom}", "http://127.0.0.1:{ports.zoom}"]
forward_url = "{host}/hooks/paraph"
forward_secrets = ["{credentials.webhook_key}"]
drain_seconds = 0
"""


@asynccontextmanager
async def _host(
    running: Running, linking: str, ports: Ports, webhook_key: str
) -> AsyncIterator[None]:
    service = ServiceClient(running.private_url, running.api_key)
    host = Host(Places(running.service_url, running.zoom_url, linking), service, Feed(webhook_key))
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn").propagate = False
    server = _HostServer(
        uvicorn.Config(
            host.app(),
            host=ports.host_address,
            port=ports.host,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if serving.done():
                raise ConfigurationError(["the host product could not start"])
            await asyncio.sleep(0.02)
        yield
    finally:
        server.should_exit = True
        await serving
        await host.close()


class _HostServer(uvicorn.Server):
    """A server that leaves signals to the demo."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers."""
        yield


def _command(*arguments: str) -> tuple[str, ...]:
    return sys.executable, "-m", "paraph", *arguments


async def _output(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *_command(*arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await process.communicate()
    if process.returncode:
        raise ConfigurationError(errors.decode("utf-8", "replace").splitlines() or ["failed"])
    return out.decode().strip().splitlines()[-1]


async def _start(log: Path, *arguments: str) -> asyncio.subprocess.Process:
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *_command(*arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            # Only the demo receives Ctrl-C, because the service ends at once on a second signal.
            process_group=0,
            preexec_fn=_die_with_parent(),
        )


def _die_with_parent() -> Callable[[], None] | None:
    """Make child processes end with the demo, so that a killed demo leaves no port in use."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def set_signal() -> None:
        libc.prctl(_DIE_WITH_PARENT, signal.SIGTERM)

    return set_signal


async def _until_listening(name: str, process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(_READY_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                if process.returncode is not None:
                    raise ConfigurationError([f"the {name} did not start"]) from None
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def _stop(processes: dict[str, asyncio.subprocess.Process]) -> None:
    for process in processes.values():
        if process.returncode is None:
            process.terminate()
    for process in processes.values():
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
