"""The wait until the app responds, and what ends it early."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from paraph.checks.harness import readiness, start_watch
from paraph.checks.harness.app_process import Running, start
from paraph.checks.harness.readiness import telling_lines, wait_until_ready
from paraph.checks.harness.start_watch import StartWatch
from paraph.checks.target import Start, Target, Urls, Variant
from paraph.checks.verdict import ControlFailedError

HERE = "http://127.0.0.1:30001/ready"


def test_an_app_that_ends_at_once_is_reported_with_its_status(tmp_path: Path) -> None:
    """The reason has the exit status and the last line of output."""
    command = [sys.executable, "-c", "import sys; print('no'); sys.exit(7)"]
    target = Target(name="x", start=Start(command=command), urls=Urls(redirect="/r"))
    app = start(target, Variant(), {"folder": f"{tmp_path}"})
    with pytest.raises(ControlFailedError, match="with status 7: no"):
        wait_until_ready(app, "http://127.0.0.1:9", 20)


def test_the_frames_of_a_stack_are_left_out() -> None:
    """The message of an error stands above the frames of JavaScript."""
    output = "node:internal\n\nError: no 'helmet'\n    at resolve (node:1)\n}\n\nNode.js v20.20.2\n"
    assert ["node:internal", "Error: no 'helmet'", "}"] == telling_lines(output)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({("127.0.0.1", 5000)}, [("127.0.0.1", 5000)]),
        ({("0.0.0.0", 5000), ("::", 5000)}, [("127.0.0.1", 5000), ("[::1]", 5000)]),
        ({("::1", 30001)}, [("[::1]", 30001)]),
        ({("127.0.0.1", 30001), ("127.0.0.1", 5000)}, []),
        ({("0.0.0.0", 30001)}, []),
        ({("::", 30001)}, []),
        ({("127.0.0.1", 30002)}, []),
        (set(), []),
    ],
)
def test_an_app_that_rests_elsewhere_has_started(
    monkeypatch: pytest.MonkeyPatch, found: set[tuple[str, int]], expected: list[tuple[str, int]]
) -> None:
    """Other addresses count after three quiet seconds, unless the expected one is open too."""
    monkeypatch.setattr(start_watch, "_processes", lambda _: (found, 1.0, False))
    watch = StartWatch(1, HERE, [30001, 30002])
    assert [[], [], expected] == [watch.settled(now) for now in (100.0, 102.5, 103.5)]


@pytest.mark.parametrize(
    "late",
    [
        ({("127.0.0.1", 5000)}, 1.0, True),
        ({("127.0.0.1", 5000)}, 2.5, False),
        ({("127.0.0.1", 5000), ("127.0.0.1", 5001)}, 1.0, False),
        (set(), 1.0, False),
    ],
)
def test_an_app_that_still_works_is_starting(
    monkeypatch: pytest.MonkeyPatch, late: tuple[set[tuple[str, int]], float, bool]
) -> None:
    """A running process, CPU time, or another address mean that the start goes on."""
    seen = iter([({("127.0.0.1", 5000)}, 1.0, False), late, late])
    monkeypatch.setattr(start_watch, "_processes", lambda _: next(seen))
    watch = StartWatch(1, HERE)
    assert [[], [], []] == [watch.settled(now) for now in (100.0, 102.5, 105.4)]


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([(1.0, False), (1.0, False), (1.0, False)], [0.0, 3.0, 6.0]),
        ([(1.0, False), (1.0, True), (1.0, False)], [0.0, 0.0, 3.0]),
        ([(1.0, False), (1.0, False), (2.0, False)], [0.0, 3.0, 0.0]),
    ],
)
def test_the_seconds_without_work_are_counted(
    monkeypatch: pytest.MonkeyPatch, looks: list[tuple[float, bool]], expected: list[float]
) -> None:
    """Work of any process of the app begins the count again."""
    seen = iter([({("127.0.0.1", 30001)}, *one) for one in looks])
    monkeypatch.setattr(start_watch, "_processes", lambda _: next(seen))
    watch = StartWatch(1, HERE)
    assert expected == [watch.idle_seconds(now) for now in (100.0, 103.0, 106.0)]


def test_an_app_that_listens_elsewhere_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only an app that listens where it is expected can be silent there."""
    found = ({("127.0.0.1", 5000)}, 1.0, False)
    monkeypatch.setattr(start_watch, "_processes", lambda _: found)
    watch = StartWatch(1, HERE)
    assert [0.0, 0.0] == [watch.idle_seconds(now) for now in (100.0, 110.0)]


def test_a_silent_app_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app with a request that does nothing for a part of the deadline will not respond."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address, port = server.getsockname()
        monkeypatch.setattr(start_watch, "_processes", lambda _: ({(address, port)}, 1.0, False))
        monkeypatch.setattr(Running, "process_id", 1)
        monkeypatch.setattr(readiness, "_IDLE_PART", 0.0)
        monkeypatch.setattr(readiness, "_IDLE_LEAST", 0.5)
        with pytest.raises(ControlFailedError, match="does not respond") as caught:
            wait_until_ready(Running(), f"http://{address}:{port}/", 60)
    assert "ready_within" in caught.value.fix


def test_the_addresses_of_a_process_are_read() -> None:
    """A listening socket of a process is among its addresses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        found, used, _ = start_watch._processes(os.getpid())
        assert server.getsockname() in found
        assert used > 0


def test_an_app_that_the_check_did_not_start_is_not_watched() -> None:
    """A running app has no known process, so the wait lasts as long as it was allowed to."""
    assert [] == StartWatch(None, HERE).settled(1e6)
    with pytest.raises(ControlFailedError, match="did not respond"):
        wait_until_ready(Running(), "http://127.0.0.1:9/", 0.1)


def test_an_app_that_is_told_no_port_gets_two_seconds() -> None:
    """The reason says that nothing passes the port, and not that the app is slow."""
    with pytest.raises(ControlFailedError, match=r"^nothing in \[start\] passes \{port\}"):
        wait_until_ready(Running(), "http://127.0.0.1:9/", 0.1, knows_port=False)
