"""`paraph doctor` reports in three formats, with the exit codes of `paraph check`."""

from __future__ import annotations

import json
from pathlib import Path

from cli.commands import run_command
from paraph.simulator.running import SimulatedZoom


def spoil(folder: Path) -> None:
    """Make the settings of the fixture wrong in three ways."""
    file = folder / "paraph.toml"
    text = file.read_text(encoding="utf-8").replace("https://zoom", "http://zoom")
    file.write_text(text.replace("kF93-2bXq0-Zr8sLpW", "short"), encoding="utf-8")
    file.chmod(0o644)


def test_every_weakness_is_in_each_format(folder: Path) -> None:
    """Text for people, JSON for programs, SARIF for code-scanning pages; all end with 1."""
    spoil(folder)
    text = run_command(folder, "doctor", "--offline")
    as_json = run_command(folder, "doctor", "--offline", "--format", "json")
    sarif = run_command(folder, "doctor", "--format", "sarif", "--offline", "--output", "d.sarif")
    rules = {one["rule"] for one in json.loads(as_json.out)["findings"]}
    run = json.loads((folder / "d.sarif").read_text(encoding="utf-8"))["runs"][0]

    assert {1} == {text.code, as_json.code, sarif.code}
    assert {"plain-http", "secret-weak", "file-open-to-others"} <= rules
    assert rules == {one["ruleId"] for one in run["results"]}
    assert rules == {one["id"] for one in run["tool"]["driver"]["rules"]}
    for rule in rules:
        assert f" {rule}: " in text.out
    assert "" == sarif.out


def test_a_zoom_that_does_not_answer_is_no_success(folder: Path) -> None:
    """Without a finding, a clock that could not be compared ends with 3."""
    file = folder / "paraph.toml"
    text = file.read_text(encoding="utf-8").replace(
        "https://zoom.tidemark.example", "http://127.0.0.1:8000"
    )
    file.write_text(f'required_scopes = ["user:read:user"]\n{text}', encoding="utf-8")
    done = run_command(folder, "doctor")

    assert 3 == done.code, done.out
    assert "not checked  clock" in done.out
    assert done.out.splitlines()[-1].endswith("no weakness found, 1 part could not be checked")
    assert "" == done.err


def test_a_manifest_is_compared_with_settings_that_have_problems(folder: Path) -> None:
    """Everything is found in one run, although the settings cannot be used."""
    spoil(folder)
    content = {"oauth_information": {"usage": "USER_OPERATION", "oauth_allow_list": []}}
    (folder / "m.json").write_text(json.dumps(content), encoding="utf-8")
    done = run_command(folder, "doctor", "--offline", "--manifest", "m.json")

    assert "strict-mode-off" in done.out
    assert "redirect-not-exact" in done.out
    assert "secret-weak" in done.out


def test_live_answers_are_kept_as_evidence(folder: Path, simulated_zoom: SimulatedZoom) -> None:
    """The file names the questions and Zoom's answers, and holds no code and no secret."""
    app = simulated_zoom.app
    simulated_zoom.consent("approve")
    file = folder / "paraph.toml"
    text = file.read_text(encoding="utf-8")
    for old, new in {
        "AbCdEf123456": app.client_id,
        "kF93-2bXq0-Zr8sLpW": app.client_secret,
        "https://zoom.tidemark.example": "http://127.0.0.1:8000",
        "http://127.0.0.1:9": simulated_zoom.url,
    }.items():
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    done = run_command(folder, "doctor", "--live")
    kept = (folder / "paraph-live.json").read_text(encoding="utf-8")

    assert 1 == done.code, done.out
    assert "live-needless-verifier" in done.out
    assert [False, True, False] == [one["refused"] for one in json.loads(kept)["answers"]]
    assert app.client_secret not in kept + done.out + done.err
    codes = [
        value
        for one in simulated_zoom.journal("/oauth/token")
        for name, value in one["form"]
        if name == "code"
    ]
    assert 3 == len(codes)
    assert not [one for one in codes if one in kept + done.out + done.err]


def test_the_manifest_is_fetched_with_a_token(folder: Path) -> None:
    """Without the token the command says which variable it needs."""
    done = run_command(folder, "doctor", "--app-id", "n4C4AvnpSm6Jg9JSV0bgww")

    assert 2 == done.code
    assert "PARAPH_ZOOM_TOKEN" in done.err


def test_answers_replace_no_other_file(folder: Path) -> None:
    """A file of another kind is refused before Zoom is asked."""
    (folder / "notes.txt").write_text("notes", encoding="utf-8")
    done = run_command(folder, "doctor", "--live", "--live-file", "notes.txt")

    assert (2, "notes") == (done.code, (folder / "notes.txt").read_text(encoding="utf-8"))
    assert "notes.txt is not a file of paraph doctor --live" in done.err


def test_a_zoom_that_does_not_answer_replaces_no_answers(folder: Path) -> None:
    """Earlier answers stay where no question was answered."""
    kept = folder / "paraph-live.json"
    kept.write_text('{"asked_at":"x","authorization_server":"y","answers":[]}', encoding="utf-8")
    before = kept.read_bytes()
    file = folder / "paraph.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("https://zoom.tidemark.example", "http://127.0.0.1:8000"), encoding="utf-8"
    )
    done = run_command(folder, "doctor", "--live")

    assert before == kept.read_bytes()
    assert "paraph-live.json was not written" in done.err
