"""`paraph demo`, as it is typed."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from paraph.cli.main import app
from paraph.demo.ports import Ports
from paraph.errors import ConfigurationError

PORTS = "18110,18010,18011,18210"


def chosen(*words: str) -> Ports:
    """The ports that these words choose."""
    seen: list[Ports] = []

    async def stub(_linking: str, ports: Ports) -> None:
        seen.append(ports)

    with patch("paraph.cli.demo._run", stub):
        result = CliRunner().invoke(app, ["demo", *words])
    assert 0 == result.exit_code, result.output
    return seen[0]


def test_ports_are_chosen_together_or_one_by_one() -> None:
    """A single port's option wins over the list."""
    assert Ports() == chosen()
    assert Ports(18110, 18010, 18011, 18210) == chosen("--ports", PORTS)
    assert Ports(18110, 18010, 18011, 18210) == chosen("--ports", "18110, 18010, 18011, 18210")
    assert Ports(18110, 5, 18011, 18210) == chosen("--ports", PORTS, "--service-port", "5")
    assert Ports(host=9, host_address="127.0.0.2") == chosen(
        *("--host-port", "9", "--host-address", "127.0.0.2")
    )


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        ("8110", "not four port numbers"),
        ("8110,8010,8011", "not four port numbers"),
        ("8110,8010,8011,8210,1", "not four port numbers"),
        ("8110,8010,8011,", "not four port numbers"),
        ("8110,8010,8011,x", "not four port numbers"),
        ("8110,8010,8011,-1", "not four port numbers"),
        ("8110,8010,8011,0", "not four port numbers"),
        ("8110,8010,8011,65536", "not four port numbers"),
        ("8110,8010,8011,²", "not four port numbers"),
        ("8110,8010,8010,8210", "names one port twice"),
    ],
)
def test_other_than_four_different_ports_is_refused(ports: str, said: str) -> None:
    """A usage error, with an example of what to write."""
    result = CliRunner().invoke(app, ["demo", "--ports", ports])

    assert 2 == result.exit_code
    assert said in result.output


def test_a_taken_port_stops_the_demo_before_anything_is_started() -> None:
    """The port and the way out are named, and no process and no folder is made."""

    def no(*_: Any, **__: Any) -> None:
        raise AssertionError("something was started")

    with (
        socket.socket() as holder,
        patch("asyncio.create_subprocess_exec", no),
        patch("tempfile.mkdtemp", no),
    ):
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ConfigurationError) as caught:
            CliRunner().invoke(app, ["demo", "--private-port", str(port)], catch_exceptions=False)
    assert f"port {port} (private) is taken" in caught.value.problems
    assert "--ports" in caught.value.remedy and "make demo PORTS=" in caught.value.remedy


@pytest.mark.slow
def test_the_printed_command_runs_as_it_is_printed(tmp_path: Path) -> None:
    """The command for a key of the operator pages works in a shell of the same folder."""
    sockets = [socket.socket() for _ in range(4)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = ",".join(str(one.getsockname()[1]) for one in sockets)
    for one in sockets:
        one.close()
    with subprocess.Popen(
        [sys.executable, "-m", "paraph", "demo", "--ports", ports],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        line = next(one for one in process.stdout if "api-keys create" in one)
        done = subprocess.run(
            ["/bin/sh", "-c", line.strip()],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert 0 == process.returncode
    assert "paraph" == Path(shlex.split(line)[0]).name
    assert re.fullmatch(r"paraph_\w{12}_[\w-]{43}\n", done.stdout), done.stderr
