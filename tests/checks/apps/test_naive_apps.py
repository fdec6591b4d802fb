"""Apps as tutorials write them: `paraph check` finds the weaknesses that their code has.

Each verdict is confirmed by the code of the app. The target files are those of `paraph check init`.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from paraph.checks.init.source import read_source
from paraph.checks.init.target_file import HOOK_KEY, target_text
from paraph.checks.runner import run, select
from paraph.checks.target import Target, load_target

HERE = Path(__file__).parent

# The weakness in the code, for each case that fails.
FLASK_FAILS = {
    "start-pkce-s256": "`install` sends no code_challenge",
    "cb-state-missing": "`callback` compares None with None where nothing was begun",
    "cb-state-replayed": "`callback` leaves the state in the session",
    "cb-head-prefetch": "Flask handles HEAD like GET",
    "tok-verifier": "`request_token` sends no code_verifier",
    "tok-profile-xss": "`index` does not escape the name",
    "leak-db": "`save` stores the tokens as they are",
    "ref-invalid-grant": "`access_token` sends a dead refresh token again",
    "wh-ts-stale": "`webhook` does not read the timestamp",
    "crc-oracle": "`webhook` answers the challenge before it compares the signature",
    "deauth-other-tenant": "`webhook` deletes by the user id alone",
}
FLASK_PASSES = {
    "start-state-entropy": "16 random bytes",
    "cb-state-forged": "the state is compared with the session's",
    "cb-state-cross-browser": "the session is in the cookie of one browser",
    "tok-overwrite-tenant": "each Zoom user has a row",
    "ref-rotated-saved": "the new refresh token is stored",
    "leak-memory-crash": "the page of a 500 shows nothing",
    "wh-sig-wrong": "the signature is compared",
    "deauth-valid": "the row is deleted",
}
FASTAPI_FAILS = {
    "start-pkce-s256": "Authlib sends no code_challenge unless it is told to",
    "start-host-spoof": "`request.url_for` follows the header Host",
    "tok-profile-xss": "`home` does not escape the name",
    "wh-ts-stale": "`webhook` does not compare the timestamp",
}
FASTAPI_PASSES = {
    "start-state-entropy": "Authlib's state has 30 characters",
    "cb-state-missing": "Authlib finds no state in the session",
    "cb-state-forged": "Authlib finds no such state in the session",
    "wh-sig-wrong": "the signature is compared",
    "crc-oracle": "the signature is compared before the challenge is answered",
}


def target_of(framework: str, folder: str, tmp_path: Path) -> Target:
    """The target of an app, as `paraph check init` writes it."""
    facts = read_source(framework, HERE / folder)
    facts.hook_key = "key-of-the-test-hooks" if framework == "flask" else ""
    file = tmp_path / "app.toml"
    file.write_text(target_text(facts), "utf-8")
    target = load_target(file)
    target.start.command[0] = sys.executable
    target.start.directory = str(HERE / folder)
    target.start.ready_within = 90
    target.limits.effect_within = 20
    if facts.hook_key:
        assert facts.hook_key == target.start.environment[HOOK_KEY]
        target.start.environment["DATABASE"] = target.hooks.database_file = "{folder}/zoom.db"
    return target


def needs(*packages: str) -> None:
    """Skip the test if a package of the app is missing."""
    missing = [one for one in packages if find_spec(one) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("framework", "packages", "fails", "passes"),
    [
        ("flask", ("flask", "requests"), FLASK_FAILS, FLASK_PASSES),
        (
            "fastapi",
            ("fastapi", "authlib", "httpx", "itsdangerous"),
            FASTAPI_FAILS,
            FASTAPI_PASSES,
        ),
    ],
)
def test_each_verdict_is_confirmed_by_the_code(
    framework: str,
    packages: tuple[str, ...],
    fails: dict[str, str],
    passes: dict[str, str],
    tmp_path: Path,
) -> None:
    """The check finds the weaknesses of a naive app, and no weakness that it does not have."""
    needs(*packages)
    target = target_of(framework, f"naive_{framework}", tmp_path)
    found = run(target, select([*fails, *passes]), told=lambda _finding: None).findings
    expected = {**dict.fromkeys(fails, "fail"), **dict.fromkeys(passes, "pass")}
    assert expected == {one.id: one.verdict.value for one in found}
