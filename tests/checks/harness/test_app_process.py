"""The process of the app under attack."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from paraph.checks.harness.app_process import ReservedPort, start
from paraph.checks.target import Start, Target, Urls, Variant
from paraph.checks.verdict import ControlFailedError


def target(script: str) -> Target:
    """An app that is this Python script."""
    return Target(
        name="x", start=Start(command=[sys.executable, "-c", script]), urls=Urls(redirect="/r")
    )


@pytest.mark.parametrize(
    ("started", "reason"),
    [
        (Start(command=["true"], environment={"A=B": "1"}), "environment variable name"),
        (Start(command=["true\0"]), "null byte"),
        (Start(command=["true"], directory="\0"), "null byte"),
    ],
)
def test_a_command_that_no_system_takes_is_a_failed_control(
    started: Start, reason: str, tmp_path: Path
) -> None:
    """A name of a variable with an equals sign, or NUL, is named as a missing program is."""
    app = Target(name="x", start=started, urls=Urls(redirect="/r"))
    with pytest.raises(ControlFailedError, match=f"cannot be run: .*{reason}"):
        start(app, Variant(), {"folder": f"{tmp_path}"})


def test_an_app_is_signalled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped app is never signalled again: its process group may belong to another app."""
    app = start(target("import time; time.sleep(60)"), Variant(), {"folder": f"{tmp_path}"})
    app.stop()
    assert not app.alive

    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("signalled again"))
    app.stop()
    app.kill()


def test_a_reserved_port_is_nobody_elses() -> None:
    """Checks that run at the same time, in one process or in several, get different ports."""
    ports = [ReservedPort() for _ in range(50)]
    ports[0].release()
    taken = socket.create_server(("127.0.0.1", ports[0].number))
    code = (
        "from paraph.checks.harness.app_process import _PORTS, ReservedPort\n"
        "print(*(ReservedPort().number for _ in range(len(_PORTS) - 200)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    mine = {one.number for one in ports}
    assert 50 == len(mine)
    assert not {str(one) for one in mine} & set(done.stdout.split())
    for port in ports:
        port.release()
    taken.close()
