"""The app under attack as a process: started with the simulator's URLs, watched, ended, killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from paraph.checks.target import Target, Variant, fill
from paraph.checks.verdict import ControlFailedError


class Application(Protocol):
    """A running app."""

    @property
    def alive(self) -> bool:
        """Whether its process lives, as far as that can be known."""

    def stop(self) -> None:
        """End it in good order."""

    def kill(self) -> None:
        """End it as a crash would."""

    def output(self) -> str:
        """What it has printed so far."""


class Running:
    """An app that somebody else has started."""

    alive = True

    def stop(self) -> None:
        """It is not ours to end."""

    def kill(self) -> None:
        """It is not ours to end."""

    def output(self) -> str:
        """Unknown."""
        return ""


class Started:
    """An app that the check has started, with everything that belongs to its process group."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def alive(self) -> bool:
        """Whether its process lives."""
        return self._process.poll() is None

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after five seconds."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        self._signal(signal.SIGKILL)
        self._process.wait(5)

    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def start(target: Target, variant: Variant, values: Mapping[str, str]) -> Application:
    """Run the app's command; the values fill its placeholders."""
    if not target.is_started_here:
        return Running()
    command = [fill(part, values) for part in variant.command or target.start.command]
    environment = {
        name: fill(value, values)
        for name, value in {**target.start.environment, **variant.environment}.items()
    }
    log = Path(values["folder"]) / "output.log"
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=fill(target.start.directory, values),
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
    except OSError as error:
        raise ControlFailedError(f"the app's command cannot be run: {error}") from None
    return Started(process, log)


def free_port() -> int:
    """A port that nobody holds at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(app: Application, url: str, patience: float) -> None:
    """Return when the app accepts connections; say why it never will."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if not app.alive:
            last = app.output().strip().splitlines()[-1:] or ["it printed nothing"]
            raise ControlFailedError(f"the app ended at once: {last[0][:200]}")
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError:
            time.sleep(0.03)
        else:
            return
    raise ControlFailedError(f"the app did not accept connections within {patience:.0f} seconds")
