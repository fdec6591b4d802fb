"""Published receivers of Zoom webhooks as processes: unmodified."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class ReceiverProcess:
    """A running receiver.

    Attributes:
        url: where it takes webhooks.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.url = self._next("listening ")

    def event(self) -> dict[str, Any]:
        """What it handed to its handler next."""
        event: dict[str, Any] = json.loads(self._next("event "))
        return event

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put("")

    def _next(self, prefix: str) -> str:
        seen = []
        while line := self._lines.get(timeout=30):
            if line.startswith(prefix):
                return line.removeprefix(prefix)
            seen.append(line)
        raise AssertionError(f"the receiver ended; it said: {seen}")


@contextmanager
def running(folder: Path, script: str, environment: Mapping[str, str]) -> Iterator[ReceiverProcess]:
    """A receiver for the length of a block."""
    process = subprocess.Popen(
        ["node", script],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield ReceiverProcess(process)
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()
