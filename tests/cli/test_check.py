"""The command `paraph check`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from paraph.checks.catalogue import catalogue
from paraph.checks.runner import Run, select
from paraph.checks.verdict import Finding, Verdict
from paraph.cli.main import app, main
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
        (["x.toml", "--since", "missing.json"], "missing.json: No such file"),
        (["x.toml", "--baseline", "missing.toml"], "missing.toml: No such file"),
        (["x.toml", "--write-baseline", "/no/such/folder/known"], "cannot be written"),
    ],
)
def test_a_wrong_option_is_refused_before_a_case_runs(arguments: list[str], said: str) -> None:
    """A wrong option or argument raises a configuration error that names it."""
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
    """A wrong target file raises a configuration error that names the place."""
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
def test_the_exit_code_tells_whether_a_case_failed(
    here: str, case: str, code: int, verdict: str
) -> None:
    """The exit code is 1 if a case fails, else 0; standard output has the report only."""
    result = CliRunner().invoke(app, ["check", here, "--only", case, "--format", "json"])
    content = json.loads(result.stdout)
    assert (code, {verdict: 1}) == (
        result.exit_code,
        {name: count for name, count in content["summary"].items() if count},
    )


def test_an_app_that_does_not_start_gives_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 2 if the preflight fails; the cause and the remedy are printed once."""
    file = tmp_path / "app.toml"
    file.write_text('name="x"\n[start]\ncommand=["false"]\n[urls]\nredirect="/cb"\n', "utf-8")
    monkeypatch.setattr(sys, "argv", ["paraph", "check", str(file)])
    with pytest.raises(SystemExit) as ended:
        main()
    output = capsys.readouterr()
    assert (2, "") == (ended.value.code, output.out)
    assert 1 == output.err.count("the app ended at once with status 1")
    assert "Correct `command`" in output.err.splitlines()[-1]


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run has the same findings: a high failure, a low one, and an inconclusive case."""

    def findings(*_arguments: object, **_options: object) -> Run:
        run = Run("an app", "2026-01-01T00:00:00Z")
        for name, verdict in (
            ("cb-code-race", Verdict.FAIL),
            ("crc-rate", Verdict.FAIL),
            ("wh-timing", Verdict.INCONCLUSIVE),
        ):
            entry = catalogue()[name]
            run.findings.append(Finding(name, entry.group, entry.severity, verdict, "because"))
        return run

    monkeypatch.setattr("paraph.cli.check._attack", findings)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 1),
        (["--fail-on", "high"], 1),
        (["--fail-on", "critical"], 0),
        (["--baseline", "known.toml"], 1),
        (["--baseline", "known.toml", "--fail-on", "medium"], 0),
        (["--write-baseline", "written.toml"], 0),
    ],
)
def test_fail_on_and_the_baseline_decide_the_exit_code(
    options: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Findings below --fail-on and known ones do not count; a written baseline can be read."""
    monkeypatch.chdir(tmp_path)
    known = '[[known]]\ncase = "cb-code-race"\nuntil = 9999-01-01\nreason = "planned"\n'
    Path("known.toml").write_text(known, "utf-8")
    result = CliRunner().invoke(app, ["check", "x.toml", *options])

    assert code == result.exit_code, result.output
    if "written.toml" in options:
        again = CliRunner().invoke(app, ["check", "x.toml", "--baseline", "written.toml"])
        assert 0 == again.exit_code, again.output


@pytest.mark.usefixtures("stored")
def test_a_baseline_that_exists_is_replaced_with_its_reasons(tmp_path: Path) -> None:
    """Without --baseline the entries of the file stay too; a file of another kind is refused."""
    file = tmp_path / "known.toml"
    known = '[[known]]\ncase = "cb-code-race"\nuntil = 9999-01-01\nreason = "planned"\n'
    file.write_text(known, "utf-8")
    result = CliRunner().invoke(app, ["check", "x.toml", "--write-baseline", str(file)])
    assert 0 == result.exit_code, result.output
    written = file.read_text("utf-8")
    assert "until = 9999-01-01" in written and 'reason = "planned"' in written
    file.write_text('name = "the target file"\n', "utf-8")
    with pytest.raises(ConfigurationError):
        CliRunner().invoke(
            app, ["check", "x.toml", "--write-baseline", str(file)], catch_exceptions=False
        )
    assert 'name = "the target file"\n' == file.read_text("utf-8")


@pytest.mark.usefixtures("stored")
def test_since_compares_with_an_earlier_report(tmp_path: Path) -> None:
    """The report of one run is what --since of the next one reads."""
    before = str(tmp_path / "before.json")
    CliRunner().invoke(app, ["check", "x.toml", "--format", "json", "--output", before])
    result = CliRunner().invoke(
        app, ["check", "x.toml", "--since", before, "--framework", "django"]
    )

    assert "since 2026-01-01T00:00:00Z: 0 new, 2 unchanged, 0 fixed" in result.output
    assert "Flow.objects.filter" in result.output


def test_only_accepts_a_severity() -> None:
    """`--only critical` selects the critical cases."""
    chosen = [catalogue()[one].severity for one in select(["critical"])]

    assert {"critical"} == set(chosen) and len(chosen) > 20


def test_the_old_name_of_a_group_works_with_a_note(here: str) -> None:
    """`--group callback` selects the group `redirection` for one more version."""
    chosen = ["--only", "cb-state-missing", "--format", "json"]
    result = CliRunner().invoke(app, ["check", here, "--group", "callback", *chosen])
    assert ["redirection"] == [one["group"] for one in json.loads(result.stdout)["cases"]]
    assert "The group callback is now called redirection" in result.stderr


def test_sigterm_leaves_nothing_behind(here: str, tmp_path: Path) -> None:
    """SIGTERM stops the started apps and deletes their folders."""
    command = [sys.executable, "-m", "paraph.cli.main", "check", here, "--only", "tok-*"]
    # Its own folder, because other checks may run at the same time.
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
