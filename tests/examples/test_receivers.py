"""The receivers of forwarded events in each language, against paraph's own forwarder."""

from __future__ import annotations

import asyncio
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from paraph.errors import PeerUnavailable
from paraph.events.http_target import Forwarder
from paraph.events.recipients import Recipients
from paraph.model.event import KeptEvent
from paraph.model.installation import Recipient
from paraph.secret import Secret
from paraph.zoom.concerned_users import Selection
from programs import need_program

FOLDER = Path(__file__).parents[2] / "examples" / "receivers"
OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "a-text-kQ82-1hTzs-Wb5nCvRt"
LANGUAGES = {
    "python": [sys.executable, str(FOLDER / "python" / "receiver.py")],
    "node": ["node", str(FOLDER / "node" / "receiver.mjs")],
    "go": ["go", "run", "."],
}
MEETING = b'{"event":"meeting.ended","payload":{"account_id":"A1","object":{"topic":"Tides"}}}'


class Receiver:
    """A running receiver."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.url = self.line().removeprefix("listening ")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put("it has ended")

    def line(self) -> str:
        """The next line that it writes."""
        return self._lines.get(timeout=60)


@contextmanager
def running(language: str, folder: Path, secrets: str) -> Iterator[Receiver]:
    """A receiver for the length of a block; what it keeps is in the folder."""
    if language == "node":
        need_program("node")
    if language == "go" and shutil.which("go") is None:
        # Its compiler is large, and no other test needs it.
        pytest.skip("go is not installed on this machine")
    environment = {
        **os.environ,
        "PORT": "0",
        "FORWARD_SECRETS": secrets,
        "DATABASE": str(folder / "receiver.db"),
        "HANDLED": str(folder / "handled.txt"),
    }
    process = subprocess.Popen(
        LANGUAGES[language],
        cwd=FOLDER / language,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Receiver(process)
    finally:
        # `go run` starts another process.
        os.killpg(process.pid, 9)
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def meeting(event_id: str) -> KeptEvent:
    """An event of Zoom's."""
    return KeptEvent(event_id, "meeting.ended", int(time.time()), MEETING, account_id="A1")


def removal(event_id: str) -> KeptEvent:
    """A notice."""
    body = b'{"installation":{"id":"i1","subject":"acct_42","sequence":2}}'
    return KeptEvent(event_id, "installation.removed", int(time.time()), body, notice=True)


def forward(url: str, event: KeptEvent, *, secrets: Sequence[str] = (OLD,), age: int = 0) -> int:
    """Forward one event as the service does; return the status, 204 where it was accepted."""
    context: Any = SimpleNamespace(now=lambda: int(time.time()) - age)
    recipients = Recipients((Recipient("i1", "acct_42", "U1", "A1"),), Selection.USERS, ("U1",))

    async def post() -> None:
        forwarder = Forwarder(context, url=url, secrets=[Secret(one) for one in secrets])
        try:
            await forwarder.forward(event, recipients)
        finally:
            await forwarder.close()

    try:
        asyncio.run(post())
    except PeerUnavailable as error:
        return error.peer_status
    return 204


@pytest.mark.parametrize("language", ["python", "node", pytest.param("go", marks=pytest.mark.slow)])
def test_a_receiver_verifies_and_deduplicates(language: str, tmp_path: Path) -> None:
    """Each event is handled once, also after a restart; what is not paraph's is refused."""
    with running(language, tmp_path, OLD) as receiver:
        assert 204 == forward(receiver.url, meeting("e1"))
        assert "handled e1" == receiver.line()
        assert 204 == forward(receiver.url, meeting("e1"))
        assert "repeated e1" == receiver.line()
        assert 401 == forward(receiver.url, meeting("e2"), secrets=[NEW])
        assert 401 == forward(receiver.url, meeting("e2"), age=400)
        assert 401 == forward(receiver.url, meeting("e2"), age=-400)
        assert 401 == httpx.post(receiver.url, content=MEETING).status_code
        # While the service rotates, both secrets sign.
        assert 204 == forward(receiver.url, removal("e3"), secrets=[NEW, OLD])
        assert "handled e3" == receiver.line()
    with running(language, tmp_path, f"{NEW} {OLD}") as receiver:
        assert 204 == forward(receiver.url, meeting("e1"))
        assert "repeated e1" == receiver.line()
        assert 204 == forward(receiver.url, meeting("e2"), secrets=[NEW])
        assert "handled e2" == receiver.line()
