"""Our service as it is run, with settings for a bench, and the requests that it is loaded with."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import kit

WEBHOOK_SECRET = "bench-webhook-key-0q8Zr5"
CLIENT_ID = "BenchClientIdOfNobody"
ACCOUNT = "AbcDEFghiJKLmnoPQRst01"
# Connections of `send_at_pace`.
SENDERS = 16


@dataclass(frozen=True, slots=True)
class Running:
    """A service that is up, with the ports of its two sides."""

    port: int
    private_port: int
    pid: int
    folder: Path
    key: str = ""


def new_key() -> str:
    """An encryption key."""
    command = [sys.executable, "-m", "paraph.cli.main", "keys", "new"]
    return subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL).split()[-1]


@contextmanager
def running_service(
    folder: Path,
    database_url: str = "",
    *,
    events_url: str = "",
    key: str = "",
    fast_path: bool = True,
    forward_url: str = "",
    event_retention: int = 7 * 86400,
) -> Iterator[Running]:
    """`paraph serve` on a free port of the server's core."""
    port, private = kit.free_port(), kit.free_port()
    key = key or new_key()
    settings = folder / "paraph.toml"
    settings.touch(mode=0o600)
    settings.write_text(
        f"""
client_id = "{CLIENT_ID}"
client_secret = "bench-client-key-7yPq2M"
webhook_secrets = ["{WEBHOOK_SECRET}"]
public_url = "http://127.0.0.1:{port}"
public_bind = "127.0.0.1:{port}"
private_bind = "127.0.0.1:{private}"
database_url = "{database_url or f"sqlite:///{folder / 'paraph.db'}"}"
events_url = "{events_url}"
encryption_keys = ["{key}"]
linking = "none"
drain_seconds = 0
fast_path = {str(fast_path).lower()}
event_retention = {event_retention}
forward_url = "{forward_url}"
forward_secrets = {["bench-forwarding-key-6wRx4T"] if forward_url else []}
""",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "paraph.cli.main", "serve", "--config", str(settings)]
    with kit.server(command, port, log=folder / "service.log") as pid:
        yield Running(port, private, pid, folder, key)


def body_of(number: int, *, event: str = "meeting.participant_joined") -> bytes:
    """A delivery body of 2.1 kB, different for each number."""
    content = {
        "event": event,
        "event_ts": 1_700_000_000_000 + number,
        "payload": {
            "account_id": ACCOUNT,
            "object": {
                "uuid": base64.b64encode(number.to_bytes(16, "big")).decode(),
                "id": str(80_000_000_000 + number),
                "topic": "Weekly tide table",
                "host_id": "KDcuGIm1QgePTO8WbOqwIQ",
                "notes": "n" * 1_840,
            },
        },
    }
    return json.dumps(content, separators=(",", ":")).encode()


def signed(body: bytes, *, key: str = WEBHOOK_SECRET, timestamp: str = "") -> bytes:
    """A delivery as Zoom sends it."""
    stamp = timestamp or str(int(time.time()))
    mac = hmac.new(key.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return kit.request(
        "POST",
        "/webhook",
        [
            ("user-agent", "Zoom Marketplace/1.0a"),
            ("content-type", "application/json; charset=utf-8"),
            ("x-zm-request-timestamp", stamp),
            ("x-zm-signature", f"v0={mac}"),
            ("x-zm-request-id", f"6009d653_{stamp}"),
        ],
        body,
    )


def forged_by_shape() -> Sequence[bytes]:
    """Stale, so the headers decide."""
    return [signed(body_of(n), timestamp="1600000000") for n in range(256)]


def forged_by_key() -> Sequence[bytes]:
    """Fresh and well-shaped, signed with another key: only the MAC decides."""
    return [signed(body_of(n), key="somebody-elses-key-31") for n in range(256)]


_numbers = itertools.count(1)


def genuine(count: int = 20_000) -> Sequence[bytes]:
    """Deliveries that were never sent before."""
    return [signed(body_of(next(_numbers))) for _ in range(count)]


def forged_redirects() -> Sequence[bytes]:
    """Random codes and states, with the cookie of no flow."""
    return [
        kit.request(
            "GET",
            f"/oauth/redirect?code={secrets.token_urlsafe(25)[:33]}&state={secrets.token_urlsafe(32)}",
            [("user-agent", "Mozilla/5.0"), ("accept", "text/html")],
        )
        for _ in range(512)
    ]


async def deliver(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> None:
    """Send one delivery on an open connection, and read its response, which must be 200."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise SystemExit(f"a delivery was answered {head[:40]!r}")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    await reader.readexactly(int(length or 0))


async def send_at_pace(
    port: int, requests: Iterable[bytes], rate: int, note: Callable[[float], None]
) -> float:
    """Send deliveries at a pace over several connections; each must be answered 200.

    Returns the reading of `time.perf_counter` at which the first delivery was due.

    Args:
        port: where the receiver listens.
        requests: the deliveries; each is taken when a connection is free for it.
        rate: deliveries a second.
        note: called after each response with the seconds since the delivery was due.
    """
    opening = (asyncio.open_connection("127.0.0.1", port) for _ in range(SENDERS))
    connections = await asyncio.gather(*opening)
    numbered = enumerate(requests)
    begun = time.perf_counter()

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for place, request in numbered:
            due = begun + place / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await deliver(reader, writer, request)
            note(time.perf_counter() - due)
        writer.close()

    await asyncio.gather(*(send(*connection) for connection in connections))
    return begun
