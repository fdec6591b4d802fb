"""The process of the app under attack: start it with the simulator's URLs, watch, stop, kill it."""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from paraph.checks.target import Target, Variant, fill
from paraph.checks.verdict import ControlFailedError

# Below the ports of outgoing connections, one of which could take the port before the app does.
_PORTS = range(30_000, 32_768)
_count = itertools.count(secrets.randbelow(len(_PORTS)))


class Application(Protocol):
    """A running app."""

    @property
    def alive(self) -> bool:
        """Return True if its process is running, as far as the check can tell."""

    @property
    def exit_status(self) -> int | None:
        """Return the exit status of its process, negative after a signal; None if it runs."""

    @property
    def process_id(self) -> int | None:
        """Return the id of its first process; None if the check did not start it."""

    def stop(self) -> None:
        """Stop it with SIGTERM and wait until it has ended."""

    def kill(self) -> None:
        """Kill it at once, as a crash would end it."""

    def output(self) -> str:
        """Return what it has printed so far."""


class Running:
    """An app that was running before the check began; the check never stops it."""

    alive = True
    exit_status = None
    process_id = None

    def stop(self) -> None:
        """Do nothing: the check did not start it."""

    def kill(self) -> None:
        """Do nothing: the check did not start it."""

    def output(self) -> str:
        """Return "": the check cannot read its output."""
        return ""


class Started:
    """An app that the check started, with every process of its process group."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self._is_stopped = False

    @property
    def alive(self) -> bool:
        """Return True if its process is running."""
        return self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """Return the exit status of its process, negative after a signal; None if it runs."""
        return self._process.poll()

    @property
    def process_id(self) -> int:
        """Return the id of its first process."""
        return self._process.pid

    def stop(self) -> None:
        """Send SIGTERM, then SIGKILL after five seconds."""
        try:
            self._end(signal.SIGTERM)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the whole process group."""
        self._end(signal.SIGKILL)

    def output(self) -> str:
        """Return what it has printed so far."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def _end(self, number: signal.Signals) -> None:
        # Once a group has ended, the system may give its number to another one.
        if not self._is_stopped:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            self._process.wait(5)
            self._is_stopped = True


def start(target: Target, variant: Variant, values: Mapping[str, str]) -> Application:
    """Start the app's command with its placeholders replaced by `values`.

    Raises:
        ControlFailedError: the command cannot be run.
    """
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
    # A name of a variable with `=`, or NUL anywhere, is a ValueError.
    except (OSError, ValueError) as error:
        raise ControlFailedError(
            f"the app's command cannot be run: {error}",
            "Correct `command`, `directory` or `environment` in [start].",
        ) from None
    return Started(process, log)


class ReservedPort:
    """A free port of loopback, for an app that has not bound it yet.

    Until `release` no other check on this machine takes it, in whatever process: the UDP port of
    the same number, which apps do not use, is held meanwhile.

    Attributes:
        number: the number of the port.
    """

    def __init__(self) -> None:
        while True:
            self.number = _PORTS[next(_count) % len(_PORTS)]
            self._held = socket.socket(type=socket.SOCK_DGRAM)
            with suppress(OSError), socket.socket() as probe:
                self._held.bind(("127.0.0.1", self.number))
                probe.bind(("127.0.0.1", self.number))
                return
            self._held.close()

    def release(self) -> None:
        """Make the port available to others."""
        self._held.close()
