"""The public side uses up no descriptors of the private side, whatever the limit is."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from cli.test_serve import GOOD
from paraph.http.listener import descriptors
from paraph.http.listener.descriptors import ExhaustionLog, raise_limit, shares_of


@pytest.mark.parametrize("limit", [256, 1024, 4096, 20_000, 65_536, 1 << 20])
def test_the_shares_fit_the_limit(limit: int) -> None:
    """All connections, both accept queues and what the process needs itself, together."""
    shares = shares_of(limit)
    taken = shares.public.in_all + shares.private.in_all + 2 * shares.backlog

    assert taken <= limit - min(limit // 4, 512)
    assert shares.public.per_address <= shares.public.in_all
    assert shares.private.in_all >= 16


def serve(folder: Path, *, soft: int, hard: int) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """The service in a process with so few descriptors, and its URLs."""
    (folder / "paraph.toml").write_text(GOOD)
    (folder / "paraph.toml").chmod(0o600)
    program = (
        "import resource, runpy, sys;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
        "sys.argv = ['paraph', 'serve']; runpy.run_module('paraph.cli.main', run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=folder,
        env={
            **{name: v for name, v in os.environ.items() if not name.startswith("PARAPH_")},
            "PYTHONUNBUFFERED": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, dict(process.stdout.readline().split() for _ in range(2))


@pytest.mark.slow
def test_idle_connections_take_nothing_from_the_private_side(tmp_path: Path) -> None:
    """With 256 descriptors and 300 idle connections both sides answer, and the log says why."""
    process, urls = serve(tmp_path, soft=128, hard=256)
    port = int(urls["listening"].rpartition(":")[2])
    with ExitStack() as idle:
        for _ in range(300):
            idle.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert 200 == httpx.get(f"{urls['private']}/metrics").status_code
        assert 200 == httpx.get(f"{urls['listening']}/healthz").status_code
        limits = Path(f"/proc/{process.pid}/limits")
        if limits.exists():
            line = next(one for one in limits.read_text().splitlines() if "open files" in one)
            assert ["256", "256"] == line.split()[3:5]
    process.send_signal(signal.SIGTERM)
    _out, errors = process.communicate(timeout=30)
    assert 0 == process.returncode
    events = [json.loads(one) for one in errors.splitlines() if one.startswith("{")]
    told = [one for one in events if one["event"] == "connections.limit_reached"]
    assert told and "trusted_proxies" in told[0]["remedy"]
    assert "Traceback" not in errors


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def error(self, event: str, **more: Any) -> None:
        """One line."""
        self.lines.append((event, more))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """The log of the module."""
    one = Log()
    monkeypatch.setattr(descriptors, "_log", one)
    return one


@pytest.mark.anyio
async def test_too_many_open_files_is_explained_once_in_a_while(log: Log) -> None:
    """Reports of the event loop are logged with the remedy; its other errors go on as before."""
    loop, others = asyncio.get_running_loop(), list[dict[str, Any]]()
    loop.set_exception_handler(lambda _loop, context: others.append(context))
    ExhaustionLog().watch(loop)
    for number in (errno.EMFILE, errno.EMFILE, errno.ENFILE, errno.EPIPE):
        loop.call_exception_handler({"message": "accept", "exception": OSError(number, "x")})

    assert ["files.exhausted"] == [event for event, _ in log.lines]
    assert "LimitNOFILE" in log.lines[0][1]["remedy"]
    assert [errno.EPIPE] == [context["exception"].errno for context in others]


def test_a_probe_finds_that_no_file_can_be_opened(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some event loops report nothing."""
    watch = ExhaustionLog()
    watch.probe(0)

    def full(*_arguments: Any) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(
        descriptors, "os", SimpleNamespace(open=full, close=os.close, devnull="", O_RDONLY=0)
    )
    for now in (1, 2, 3, 20):
        watch.probe(now)

    assert ["files.exhausted", "files.exhausted"] == [event for event, _ in log.lines]


def test_the_limit_is_raised_to_what_is_allowed() -> None:
    """The soft limit becomes the hard one, and is what is divided."""
    program = (
        "import resource; from paraph.http.listener.descriptors import raise_limit;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300));"
        "print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "300 300 300" == said.stdout.strip()
    assert raise_limit() >= 64
