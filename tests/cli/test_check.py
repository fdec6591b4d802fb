"""`paraph check` as it is typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from paraph.cli.main import app
from paraph.errors import ConfigurationError

ELSEWHERE = 'name="x"\n[urls]\nbase="https://app.example"\nredirect="/cb"\n[zoom]\nport=8100\n'
HERE = f"""
name = "friendly"
[start]
command = ["{sys.executable}", "{Path(__file__).parents[1] / "checks" / "friendly_app.py"}"]
[start.environment]
PORT = "{{port}}"
ZOOM = "{{zoom}}"
CLIENT_ID = "{{client_id}}"
SECRET = "{{client_secret}}"
[urls]
start = "/start"
redirect = "/callback"
pages = ["/"]
"""


@pytest.fixture
def here(tmp_path: Path) -> str:
    """The target file of a small app."""
    file = tmp_path / "app.toml"
    file.write_text(HERE, "utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no target file is given"),
        (["missing.toml"], "No such file"),
        (["x.toml", "--only", "cb-state-mising"], "cb-state-missing?"),
        (["x.toml", "--group", "starts"], "starts is not one of"),
        (["x.toml", "--severity", "grave"], "grave is not one of"),
        (["x.toml", "--group", "start", "--only", "cb-*"], "no case is chosen"),
        (["x.toml", "--output", "/no/such/folder/report"], "cannot be written"),
        (["x.toml", "--self-test"], "--self-test takes no target"),
        (["--self-test", "--format", "html"], "text or json"),
    ],
)
def test_what_cannot_run_is_said_before_anything_runs(arguments: list[str], said: str) -> None:
    """One line says what is wrong; the exit code of these is 2."""
    with pytest.raises(ConfigurationError) as caught:
        CliRunner().invoke(app, ["check", *arguments], catch_exceptions=False)
    assert said in caught.value.problems[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "x"\n[urls\n', "line 2"),
        ('name = "x"\n[urls]\nredirect = "/cb"\nstrat = "/"\n', "unknown field `strat`"),
        ('name = "x"\n[urls]\nredirect = "/cb"\n', "say how to start the app"),
        (ELSEWHERE, "is not this machine"),
        ("impersonate = true\n" + ELSEWHERE.replace("https://app.example", "http://127.0.0.1"), ""),
    ],
)
def test_a_target_file_that_is_wrong_says_where(tmp_path: Path, text: str, said: str) -> None:
    """And no request leaves this machine."""
    file = tmp_path / "app.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        CliRunner().invoke(app, ["check", str(file)], catch_exceptions=False)
    assert said in caught.value.problems[0]


@pytest.mark.parametrize(
    ("case", "code", "verdict"),
    [
        ("cb-state-cross-browser", 0, "pass"),
        ("mp-bounce", 0, "not-applicable"),
        ("start-pkce-s256", 1, "fail"),
        ("cb-iss-removed", 0, "not-applicable"),
    ],
)
def test_the_exit_code_says_how_it_ended(here: str, case: str, code: int, verdict: str) -> None:
    """0 where nothing fails, 1 where something does; the report goes to the output alone."""
    result = CliRunner().invoke(app, ["check", here, "--only", case, "--format", "json"])
    content = json.loads(result.stdout)
    assert (code, {verdict: 1}) == (
        result.exit_code,
        {name: count for name, count in content["summary"].items() if count},
    )


def test_an_app_that_cannot_be_judged_ends_with_three(tmp_path: Path) -> None:
    """Inconclusive is no pass."""
    file = tmp_path / "app.toml"
    file.write_text('name="x"\n[start]\ncommand=["false"]\n[urls]\nredirect="/cb"\n', "utf-8")
    result = CliRunner().invoke(app, ["check", str(file), "--only", "start-pkce-s256"])
    assert result.exit_code == 3
    assert "the app ended at once" in result.output


def test_sigterm_leaves_nothing_behind(here: str, tmp_path: Path) -> None:
    """A build server ends what takes too long: no app goes on, no folder stays."""
    command = [sys.executable, "-m", "paraph.cli.main", "check", here, "--only", "tok-*"]
    # A place of its own: other checks may run at the same time.
    place = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=place) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 143
    assert [] == list(tmp_path.glob("paraph-check-*"))
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert not [one for one in running.stdout.splitlines() if str(tmp_path) in one]
