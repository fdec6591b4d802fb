"""The end of a service: what is answered meanwhile, and when the process is gone."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.test_serve import GOOD
from private_file import write_private
from serve_process import start_service
from service.served import served

HEALTH = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"


@dataclass(slots=True)
class Running:
    """`paraph serve` in a process."""

    process: subprocess.Popen[str]
    public: str
    private: str

    def tell(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Its exit code and its log, once it has ended."""
        _out, log = self.process.communicate(timeout=30)
        return self.process.returncode, log

    def ready(self) -> tuple[int, dict[str, Any]]:
        """The answer of `/readyz`."""
        answer = httpx.get(f"{self.public}/readyz", trust_env=False)
        return answer.status_code, answer.json()

    def until_it_drains(self) -> None:
        """Wait until readiness has turned."""
        end = time.monotonic() + 10
        while not self.ready()[1]["draining"]:
            assert time.monotonic() < end

    def until_it_refuses(self) -> None:
        """Wait until no connection is accepted any more."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                httpx.get(f"{self.public}/healthz", trust_env=False)
            except httpx.TransportError:
                return
        raise AssertionError("it still accepts connections")


@contextmanager
def serving(folder: Path, drain_seconds: int) -> Iterator[Running]:
    """Run a service, and kill what is left of it."""
    text = GOOD.replace("drain_seconds = 0", f"drain_seconds = {drain_seconds}")
    assert str(drain_seconds) in text
    write_private(folder / "paraph.toml", text)
    process = start_service(folder)
    assert process.stdout is not None
    try:
        said = dict(process.stdout.readline().split() for _ in range(2))
        yield Running(process, said["listening"], said["private"])
    finally:
        process.kill()
        process.wait()
        for one in (process.stdout, process.stderr):
            assert one is not None
            one.close()


def test_a_drain_answers_and_then_ends(tmp_path: Path) -> None:
    """Readiness turns at once on both listeners; all else is answered, new connections too."""
    with serving(tmp_path, 1) as one:
        assert (200, False) == ((first := one.ready())[0], first[1]["draining"])
        with httpx.Client(base_url=one.public, trust_env=False) as kept:
            assert "connection" not in kept.get("/healthz").headers
            told_at = time.monotonic()
            one.tell()
            one.until_it_drains()
            assert 503 == one.ready()[0]
            assert (200, "close") == (
                (answer := kept.get("/healthz")).status_code,
                answer.headers["connection"],
            )
        forged = httpx.post(f"{one.public}/webhook", content=b"{}", trust_env=False)
        assert (401, "close") == (forged.status_code, forged.headers["connection"])
        refused = httpx.get(f"{one.public}/oauth/redirect?code=a&state=b", trust_env=False)
        assert (400, "close") == (refused.status_code, refused.headers["connection"])
        vend = f"{one.private}/v1/installations/{'A' * 22}/access-token"
        unknown = httpx.post(vend, json={"subject": "a"}, trust_env=False)
        assert (401, "close") == (unknown.status_code, unknown.headers["connection"])
        code, log = one.end()
        took = time.monotonic() - told_at
    assert 0 == code
    assert "service.draining" in log
    assert took > 1


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    """A drain of minutes is cut short, and the exit code names the signal."""
    with serving(tmp_path, 600) as one:
        one.tell()
        one.until_it_drains()
        one.tell(signal.SIGTERM)
        code, log = one.end()
    assert 128 + signal.SIGTERM == code
    assert "service.ended_at_once" in log


def test_ctrl_c_skips_the_drain_and_requests_under_way_are_answered(tmp_path: Path) -> None:
    """A body that arrives slowly is read to its end when nothing new is accepted any more."""
    with serving(tmp_path, 600) as one:
        host, port = one.public.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as sender:
            sender.sendall(b"POST /webhook HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{")
            # Answered on another connection after it, so the head has been read.
            assert 200 == httpx.get(f"{one.public}/healthz", trust_env=False).status_code
            one.tell(signal.SIGINT)
            one.until_it_refuses()
            sender.sendall(b"}")
            assert sender.recv(100).startswith(b"HTTP/1.1 401 ")
        code, _log = one.end()
    assert 0 == code


def test_a_service_that_does_not_end_is_ended() -> None:
    """After the stated time the process ends, with exit code 1 and a line that says so."""
    script = """
import asyncio, os, signal
from paraph.service import stopping

async def stuck():
    stopping.END_SECONDS = 0.1
    one = stopping.Stopping(
        drain=lambda: print("drain"), stop=lambda: print("stop"), drain_seconds=0.1
    )
    one.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(60)

asyncio.run(stuck())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30
    )
    told = [line for line in done.stdout.splitlines() if line in {"drain", "stop"}]
    assert (1, ["drain", "stop"]) == (done.returncode, told)
    assert "service.ended_late" in done.stdout


def test_a_signal_ends_a_start_that_waits(tmp_path: Path) -> None:
    """A database that accepts connections and says nothing: SIGTERM has a handler already."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        write_private(
            tmp_path / "paraph.toml", f'{GOOD}database_url = "postgresql://a@127.0.0.1:{port}/a"\n'
        )
        process = start_service(tmp_path)
        connection, _ = silent.accept()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        connection.close()
    assert 128 + signal.SIGTERM == process.returncode


@pytest.mark.anyio
async def test_a_request_that_does_not_end_is_answered_503(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After its time it may be tried again elsewhere; no 500 says that it broke something."""
    monkeypatch.setattr("paraph.service.server._GRACE_SECONDS", 0.2)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(_scope: Any, _receive: Any, _send: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with served(endless) as one:
        status = asyncio.create_task(one.status(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"))
        await begun.wait()
        one.listener.should_exit = True
        assert 503 == await status
        await ended.wait()
