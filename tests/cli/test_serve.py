"""`paraph serve` as an operator runs it: what stops it at its start, and how it ends."""

from __future__ import annotations

import io
import json
import logging
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from cli.commands import run_command
from paraph.cli.serve import show_causes
from paraph.errors import StateMismatch
from paraph.installs.refusal_log import LOGGER, log_refusal
from paraph.sealing.encryption_key import new_encryption_key
from private_file import write_private
from serve_process import start_service

GOOD = f"""
client_id = "AbCdEf123456"
client_secret = "kF93-2bXq0-Zr8sLpW"
webhook_secrets = ["hN71_0cYwe-Ty6dRmVq"]
public_url = "https://zoom.tidemark.example"
public_bind = "127.0.0.1:0"
private_bind = "127.0.0.1:0"
encryption_keys = ["{new_encryption_key()}"]
linking = "none"
drain_seconds = 0
trusted_proxies = ["127.0.0.1"]
"""


def start(folder: Path, settings: str) -> subprocess.Popen[str]:
    """Run the command in a folder with these settings."""
    write_private(folder / "paraph.toml", settings)
    return start_service(folder)


def failure(folder: Path, settings: str) -> tuple[int, str]:
    """Exit code and words of a start that must fail."""
    process = start(folder, settings)
    out, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    # The other listener may have been up for a moment; the one that failed never said so.
    assert "listening" not in out
    return process.returncode, errors


def test_without_settings_everything_is_listed_and_nothing_starts(tmp_path: Path) -> None:
    """Exit 2, a line for each problem, one line that says what to do, no database file."""
    write_private(tmp_path / "paraph.toml", "")
    done = run_command(tmp_path, "serve")
    said = done.err

    assert (2, "") == (done.code, done.out)
    for name in ("client_id", "client_secret", "webhook_secrets", "public_url", "encryption_keys"):
        assert f"paraph: {name}" in said
    assert ["paraph.toml"] == [one.name for one in tmp_path.iterdir()]


def test_a_taken_port_is_said_in_two_lines(tmp_path: Path) -> None:
    """A port that somebody holds: what happened, and what to do."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        taken = GOOD.replace('public_bind = "127.0.0.1:0"', f'public_bind = "127.0.0.1:{port}"')
        code, said = failure(tmp_path, taken)

    assert 2 == code
    assert "is its port taken?" in said


@pytest.mark.slow
def test_a_database_of_another_key_is_said(tmp_path: Path) -> None:
    """Another ring than the database's is refused at the start, not at the first token."""
    first = start(tmp_path, GOOD)
    assert first.stdout is not None
    first.stdout.readline()
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=30)
    assert 0 == first.returncode

    known = GOOD.partition('encryption_keys = ["')[2].partition('"')[0]
    code, said = failure(tmp_path, GOOD.replace(known, new_encryption_key()))

    assert 1 == code
    assert 2 == len(said.splitlines())


@pytest.mark.parametrize(
    "how", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_it_says_where_it_listens_and_ends_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    """Both listeners are announced, answer, and end with exit code 0 when they are told to."""
    process = start(tmp_path, GOOD)
    assert process.stdout is not None
    said = dict(process.stdout.readline().split() for _ in range(2))

    assert {"listening", "private"} == set(said)
    assert 200 == httpx.get(f"{said['listening']}/healthz").status_code
    assert 404 == httpx.get(f"{said['listening']}/v1/installations").status_code
    assert 401 == httpx.get(f"{said['private']}/v1/installations").status_code
    process.send_signal(how)
    _, errors = process.communicate(timeout=30)
    assert 0 == process.returncode
    for word in ("Traceback", "private.beyond_loopback", "proxies.not_trusted"):
        assert word not in errors


def test_a_private_side_beyond_loopback_is_warned_about(tmp_path: Path) -> None:
    """Containers need it, so it is allowed; but never without a word."""
    process = start(
        tmp_path, GOOD.replace('private_bind = "127.0.0.1:0"', 'private_bind = "0.0.0.0:0"')
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _out, errors = process.communicate(timeout=30)
    assert "private.beyond_loopback" in errors


@pytest.mark.slow
def test_an_untrusted_proxy_is_warned_about(tmp_path: Path) -> None:
    """Behind TLS every visitor has the proxy's address, and so one budget, unless it is named."""
    unnamed = GOOD.replace('["127.0.0.1"]', "[]")
    local = unnamed.replace("https://zoom.tidemark.example", "http://127.0.0.1:8000")
    for settings, told in ((unnamed, True), (local, False)):
        process = start(tmp_path, settings)
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _out, errors = process.communicate(timeout=30)
        assert told == ("proxies.not_trusted" in errors)


def test_debug_shows_the_cause_of_a_refused_install(log: io.StringIO) -> None:
    """With --debug the service's own log has a line with code and cause of each refusal."""
    logger = logging.getLogger(LOGGER)
    before = logger.level, list(logger.handlers)
    try:
        show_causes()
        log_refusal(StateMismatch("the browser sent no cookie of this flow"))
    finally:
        logger.level, logger.handlers = before
    line = json.loads(log.getvalue())
    assert ("install.refused", "state_mismatch", "the browser sent no cookie of this flow") == (
        line["event"],
        line["reason"],
        line["cause"],
    )
