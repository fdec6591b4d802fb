"""Teams' apps with django-allauth and with Passport: `paraph check` finds their weaknesses.

Each verdict is confirmed by the code of the app or of the library. The target files are those of
`paraph check init`, with its test hooks.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from paraph.checks.init.source import read_source
from paraph.checks.init.target_file import target_text
from paraph.checks.runner import run, select
from paraph.checks.target import Target, load_target

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("kits")]

APPS = Path(__file__).parents[1] / "checks" / "apps"

# The line of code that decides, for each case.
DJANGO_FAILS = {
    "start-param-injection": "allauth takes `scope` from the query of the start",
    "start-host-spoof": "ALLOWED_HOSTS is `*`, and allauth builds the redirect URI from `Host`",
    "start-csrf-link": "SOCIALACCOUNT_LOGIN_ON_GET with process=connect",
    "cb-code-injection": "allauth sends no code_challenge unless OAUTH_PKCE_ENABLED is set",
    "cb-head-prefetch": "Django handles HEAD like GET",
    "tok-redirect": "requests follows the redirect of a token request",
    "leak-db": "SOCIALACCOUNT_STORE_TOKENS keeps the tokens as they are",
    "ref-user-swap": "`refresh` saves the token without asking whose it is",
    "ref-invalid-grant": "`refresh` sends a dead refresh token again",
    "wh-ts-stale": "`zoom_webhook` does not compare the timestamp",
    "wh-replay": "`zoom_webhook` keeps every delivery",
    "crc-token-shape": "`zoom_webhook` signs any plainToken of a signed challenge",
    "deauth-other-tenant": "`zoom_webhook` deletes by the user id alone",
}
DJANGO_PASSES = {
    "cb-state-missing": "allauth finds no state in the session",
    "cb-state-cross-browser": "the session belongs to one browser",
    "cb-session-fixation": "the session belongs to one browser",
    "cb-error-xss": "Django's templates escape",
    "tok-identity-fail": "allauth raises without a user id, and stores nothing",
    "tok-email-match": "the uid is the key, not the e-mail",
    "wh-sig-wrong": "the signature is compared",
    "crc-oracle": "the signature is compared before the challenge is answered",
    "deauth-valid": "the account is deleted before the response",
    "idor-install": "`index` shows the account of the signed-in user only",
}
EXPRESS_FAILS = {
    "start-pkce-s256": "`pkce` of passport-oauth2 is off",
    "cb-error-denied": "passport-oauth2 fails before it removes the state",
    "tok-profile-xss": "`/` does not escape the name",
    "tok-identity-fail": "the strategy stores a profile with an empty id",
    "ref-user-swap": "`refresh` saves the token without asking whose it is",
    "ref-not-rotated": "`refresh` stores undefined if no new refresh token comes",
    "wh-raw-body": "the signature is computed over JSON.stringify",
    "wh-ts-stale": "the timestamp is not compared",
    "crc-oracle": "the challenge is answered before the signature is compared",
    "deauth-other-tenant": "the user is deleted by the user id alone",
}
EXPRESS_PASSES = {
    "start-state-entropy": "24 random characters of uid2",
    "cb-state-missing": "passport-oauth2 compares the state with the session's",
    "cb-state-replayed": "passport-oauth2 removes a state that it has compared",
    "cb-session-fixation": "the session belongs to one browser",
    "cb-half-install": "an error of the profile ends the flow before `users.set`",
    "cb-error-xss": "Express escapes the text of an error",
    "tok-redirect": "the library oauth follows no redirect",
    "leak-logs": "the app prints its port alone; a profile that is no JSON ends it",
    "ref-rotated-saved": "the new refresh token is stored",
    "wh-sig-wrong": "the signature is compared",
    "deauth-valid": "the user is deleted",
}


def target_of(framework: str, tmp_path: Path) -> Target:
    """The target of an app, as `paraph check init` writes it, with all its hooks."""
    folder = tmp_path / framework
    shutil.copytree(APPS / f"naive_{framework}", folder)
    # The current folder is that of the kits.
    (folder / "node_modules").symlink_to(Path("node_modules").resolve())
    facts = read_source(framework, folder)
    facts.hook_key = "key-of-the-test-hooks"
    text = target_text(facts).replace("# events", "events")
    if framework == "django":
        text = text.replace("# sign_", "sign_")
        text = text.replace('zoom/login/"', 'zoom/login/?process=connect"')
    file = folder / "app.toml"
    file.write_text(text, "utf-8")
    target = load_target(file)
    target.start.directory = str(folder)
    target.start.ready_within = 120
    target.limits.effect_within = 20
    return target


@pytest.mark.parametrize(
    ("framework", "fails", "passes"),
    [
        ("django", DJANGO_FAILS, DJANGO_PASSES),
        ("express", EXPRESS_FAILS, EXPRESS_PASSES),
    ],
)
def test_each_verdict_is_confirmed_by_the_code(
    framework: str,
    fails: dict[str, str],
    passes: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The check finds the weaknesses of a team's app, and no weakness that it does not have."""
    # An interpreter that is called through a link does not know its own packages.
    monkeypatch.setenv("PATH", f"{Path('bin').resolve()}{os.pathsep}{os.environ['PATH']}")
    # Tests of the Django integration in this process name their own settings.
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    target = target_of(framework, tmp_path)
    found = run(target, select([*fails, *passes]), told=lambda _finding: None).findings
    expected = {**dict.fromkeys(fails, "fail"), **dict.fromkeys(passes, "pass")}
    assert expected == {one.id: one.verdict.value for one in found}, [
        (one.id, one.reason) for one in found if one.verdict.value != expected[one.id]
    ]
