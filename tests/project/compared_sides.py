"""A service of one checkout, started as a process beside a simulated Zoom, for comparisons."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from project.compared_responses import Response, parse_responses

PUBLIC_URL = "https://app.example"
HOST_URL = "https://host.example"
CLIENT_ID = "pR8qClientId"
CLIENT_SECRET = "the-client-secret-of-both-sides"
WEBHOOK_SECRETS = ("zoom-sim-secret-token", "old-webhook-secret")
ENCRYPTION_KEY = "c0a7e5b1:" + b64encode(sha256(b"comparison").digest(), b"-_").decode().rstrip("=")
JANE, ACCOUNT = "KDcuGIm1QgePTO8WbOqwIQ", "AbcDEFghiJKLmnoPQRst01"
_STARTED_SECONDS = 60
_SILENCE_SECONDS = 1.5
_KEYS = {"key": ("link", "read", "vend", "proxy", "remove"), "reader": ("read",)}
# Both keys in one process: starting one takes longer than making a key.
_MAKE_KEYS = f"""
from paraph.cli.main import app
for label, scopes in {_KEYS!r}.items():
    words = [word for scope in scopes for word in ("--scope", scope)]
    app(["api-keys", "create", "--label", label, *words], standalone_mode=False)
"""

_WORLD = f"""
[[accounts]]
id = "{ACCOUNT}"

[[users]]
id = "{JANE}"
email = "jane@example.com"
display_name = "Jane Dev"
role = "admin"

[[apps]]
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
webhook_secret = "{WEBHOOK_SECRETS[0]}"
redirect_uris = ["{PUBLIC_URL}/marketplace", "{PUBLIC_URL}/oauth/redirect"]
scopes = ["user:read:user", "meeting:read:meeting"]
"""


@dataclass(slots=True)
class Side:
    """One running service.

    Attributes:
        ports: the listeners by name: "public", "private", and "zoom" for its simulator.
        values: placeholders that requests may name, such as the API key.
    """

    ports: dict[str, int]
    values: dict[str, str] = field(default_factory=dict)

    async def send(
        self,
        where: str,
        pieces: Sequence[bytes],
        *,
        source: str = "127.0.0.1",
        count: int = 1,
        long_wait: bool = False,
    ) -> list[Response]:
        """Send raw bytes on a new connection and return the responses.

        Args:
            where: the name of the listener.
            pieces: bytes to write one after the other, with a pause between them.
            source: the loopback address to connect from; rate limits count by it.
            count: the number of expected responses.
            long_wait: wait longer for a response, as after a difference.
        """
        seconds = _SILENCE_SECONDS * (6 if long_wait else 1)
        found: list[Response] = []
        data = b""
        try:
            async with asyncio.timeout(20):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", self.ports[where], local_addr=(source, 0)
                )
        except (OSError, TimeoutError):
            return [Response(0, "no connection")]
        end, to_head = "silent", pieces[0].startswith(b"HEAD ")
        with contextlib.suppress(OSError, TimeoutError):
            for number, piece in enumerate(pieces):
                if number:
                    await asyncio.sleep(0.01)
                writer.write(self._filled(piece))
                await writer.drain()
            while sum(one.status >= 200 for one in found) < count:
                async with asyncio.timeout(seconds if not data else 20):
                    more = await reader.read(1 << 16)
                if not more:
                    end = "closed"
                    break
                ready, data = parse_responses(data + more, to_head=to_head)
                found += ready
        writer.transport.abort()
        return found or [Response(0, end, raw=end.encode())]

    def _filled(self, piece: bytes) -> bytes:
        for name, value in self.values.items():
            piece = piece.replace(b"{{%s}}" % name.encode(), value.encode())
        return piece

    async def ask(
        self,
        method: str,
        target: str,
        *headers: str,
        body: bytes | None = None,
        where: str = "public",
        source: str = "127.0.0.1",
    ) -> Response:
        """Send one usual request."""
        lines = [f"{method} {target} HTTP/1.1", "host: localhost", *headers]
        if body is not None:
            lines.append(f"content-length: {len(body)}")
        raw = "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")
        return (await self.send(where, [raw], source=source, long_wait=True))[0]

    async def call(self, method: str, path: str, content: Any = None, **named: Any) -> Response:
        """Call the management API with the key of all permissions."""
        headers = ["authorization: Bearer {{key}}"]
        body = None
        if content is not None:
            headers.append("content-type: application/json")
            body = json.dumps(content).encode()
        # The length is that of the body without placeholders, so none may stand in it.
        return await self.ask(method, path, *headers, body=body, where="private", **named)

    async def steer(self, method: str, path: str, content: Any = None) -> Response:
        """Call the control API of the simulated Zoom."""
        body = None if content is None else json.dumps(content).encode()
        headers = ["content-type: application/json"]
        return await self.ask(method, f"/_simulator{path}", *headers, body=body, where="zoom")

    async def agree(self, location: str) -> str:
        """Follow a redirect to Zoom, which agrees; return the path that the browser is sent to."""
        parts = urlsplit(location)
        response = await self.ask("GET", f"{parts.path}?{parts.query}", where="zoom")
        return response.header("location").removeprefix(PUBLIC_URL)


def settings_of(folder: Path, zoom_port: int, **changes: str) -> dict[str, str]:
    """Return the settings of a service as environment variables."""
    zoom = f"http://localhost:{zoom_port}"
    values = {
        "app_name": "Tidemark",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "webhook_secrets": json.dumps(WEBHOOK_SECRETS),
        "public_url": PUBLIC_URL,
        "public_bind": "127.0.0.1:0",
        "private_bind": "127.0.0.1:0",
        "database_url": f"sqlite:///{folder / 'paraph.db'}",
        "encryption_keys": json.dumps([ENCRYPTION_KEY]),
        "linking": "host",
        "start_url": f"{HOST_URL}/zoom/start",
        "link_url": f"{HOST_URL}/zoom/link",
        "required_scopes": json.dumps(["user:read:user"]),
        "authorization_server": zoom,
        "api_servers": json.dumps([zoom]),
        "trusted_proxies": json.dumps(["127.0.0.0/8"]),
        "security_contact": "mailto:security@example.com",
        "verify_zoom": "zoom-verification",
        "receipts_folder": str(folder / "receipts"),
        "drain_seconds": "0",
    }
    merged = {**values, **changes}
    return {f"PARAPH_{name.upper()}": value for name, value in merged.items() if value}


@contextlib.asynccontextmanager
async def running_zoom(checkout: Path, folder: Path) -> AsyncIterator[int]:
    """Run a simulated Zoom of a checkout; return its port.

    Args:
        checkout: the root of the checkout, whose `.venv` is used.
        folder: an empty folder for its files.
    """
    (world := folder / "world.toml").write_text(_WORLD, encoding="utf-8")
    async with contextlib.AsyncExitStack() as stack:
        words = ("simulate", "--port", "0", "--world", str(world))
        start = _Starter(checkout, folder, _clean_environment(), stack)
        yield (await start.listening("simulator", words, ("listening",)))["listening"]


@contextlib.asynccontextmanager
async def running_side(
    checkout: Path, folder: Path, zoom_port: int, **changes: str
) -> AsyncIterator[Side]:
    """Run a service of a checkout with a new database and two API keys.

    Args:
        checkout: the root of the checkout, whose `.venv` is used.
        folder: an empty folder for its files.
        zoom_port: the port of its simulated Zoom, which begins anew.
        changes: settings that differ from the usual ones.
    """
    environment = _clean_environment() | settings_of(folder, zoom_port, **changes)
    async with contextlib.AsyncExitStack() as stack:
        start = _Starter(checkout, folder, environment, stack)
        side = Side({"zoom": zoom_port})
        await side.steer("POST", "/reset", {})
        await side.steer("PUT", "/consent", {"auto": "approve", "user_id": JANE})
        side.values |= dict(zip(_KEYS, await start.output(_MAKE_KEYS), strict=True))
        service = await start.listening("service", ("serve",), ("listening", "private"))
        side.ports |= {"public": service["listening"], "private": service["private"]}
        yield side


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not _is_ours(name)}


def _is_ours(name: str) -> bool:
    return name.startswith(("PARAPH_", "PYTHONPATH", "VIRTUAL_ENV"))


@dataclass(slots=True)
class _Starter:
    checkout: Path
    folder: Path
    environment: dict[str, str]
    stack: contextlib.AsyncExitStack

    @property
    def _python(self) -> str:
        own = self.checkout / ".venv" / "bin" / "python"
        return str(own) if own.exists() else sys.executable

    async def output(self, code: str) -> list[str]:
        """Return the lines that some code prints."""
        process = await asyncio.create_subprocess_exec(
            self._python, "-c", code,
            cwd=self.folder, env=self.environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        printed, errors = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"a command failed: {errors.decode()}")
        return printed.decode().split()

    async def listening(
        self, name: str, words: Sequence[str], listeners: Sequence[str]
    ) -> dict[str, int]:
        """Start a server; return the ports that it announces."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                self._python, "-m", "paraph.cli.main", *words,
                cwd=self.folder, env={**self.environment, "PYTHONUNBUFFERED": "1"},
                stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self.stack.push_async_callback(_stop, process)
        assert process.stdout is not None
        found: dict[str, int] = {}
        async with asyncio.timeout(_STARTED_SECONDS):
            while set(listeners) - set(found):
                line = (await process.stdout.readline()).decode()
                if not line:
                    log_text = (self.folder / f"{name}.log").read_text(errors="replace")
                    raise RuntimeError(f"the {name} did not start: {log_text[-2000:]}")
                word, _, url = line.partition(" ")
                if word in listeners:
                    found[word] = int(url.strip().rpartition(":")[2])
        return found


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(10):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
