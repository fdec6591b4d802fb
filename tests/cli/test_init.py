"""`paraph init` writes settings that load, and overwrites nothing."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from cli.commands import Done, run_command
from paraph.settings.loading import load_settings
from paraph.zoom.manifest import parse_manifest
from paraph.zoom.manifest_weakness import find_weaknesses
from programs import need_program

SECRETS = {
    "ZOOM_CLIENT_ID": "AbCdEf123456xyz",
    "ZOOM_CLIENT_SECRET": "kF93-2bXq0-Zr8sLpW",
    "ZOOM_SECRET_TOKEN": "hN71_0cYwe-Ty6dRmVq",
}
ORIGIN = "https://zoom.tidemark.example"


def run_init(folder: Path, *words: str) -> Done:
    """Run it with everything that it needs."""
    return run_command(folder, "init", "--public-url", ORIGIN, *words, variables=SECRETS)


def test_the_written_file_loads_and_has_no_weakness(tmp_path: Path) -> None:
    """Only its owner may read it, its key is new, and the doctor finds nothing."""
    done = run_init(tmp_path)
    file = tmp_path / "paraph.toml"
    settings = load_settings(file)
    found = run_command(tmp_path, "doctor", "--offline", "--manifest", "zoom-manifest.json")

    assert (0, "") == (done.code, done.err)
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert f"{ORIGIN}/oauth/redirect" == settings.redirect_uri
    assert 1 == len(settings.encryption_keys)
    assert (0, True) == (found.code, "no weakness found" in found.out)


def test_it_shows_the_fields_of_zooms_form_and_the_next_command(tmp_path: Path) -> None:
    """Each URL of the service stands beside its field; no secret is shown."""
    out = run_init(tmp_path).out

    for words in (
        f"OAuth Redirect URL                         {ORIGIN}/marketplace",
        f"OAuth Allow Lists                          {ORIGIN}/oauth/redirect",
        f"Deauthorization Notification Endpoint URL  {ORIGIN}/webhook",
        "Use Strict Mode URL                        on",
    ):
        assert words in out
    assert "doctor --manifest zoom-manifest.json" in out.splitlines()[-1]
    assert not [one for one in SECRETS.values() if one in out and one != "AbCdEf123456xyz"]


@pytest.mark.parametrize("level", ["user", "account"])
def test_the_manifest_has_no_weakness(tmp_path: Path, level: str) -> None:
    """It is what Zoom's schema describes, exact and strict."""
    scope = "user:read:user" + (":admin" if level == "account" else "")
    run_init(
        tmp_path, "--level", level, "--scopes", scope, "--events", "meeting.ended,user.updated"
    )
    content = (tmp_path / "zoom-manifest.json").read_bytes()

    assert () == find_weaknesses(
        parse_manifest(content),
        redirect_uri=f"{ORIGIN}/oauth/redirect",
        webhook_url=f"{ORIGIN}/webhook",
        level="account" if level == "account" else "user",
        required_scopes=[scope],
    )
    events = json.loads(content)["features"]["event_subscription"]["events"]
    assert ["meeting.ended", "user.updated"] == events[0]["event_types"]


def test_nothing_is_overwritten_unless_forced(tmp_path: Path) -> None:
    """A second run changes no byte; with --force there is another key, and each old one is kept."""
    run_init(tmp_path)
    before = (tmp_path / "paraph.toml").read_bytes()
    again = run_init(tmp_path)
    kept = (tmp_path / "paraph.toml").read_bytes()
    forced = run_init(tmp_path, "--force")

    assert (2, before) == (again.code, kept)
    assert "--force" in again.err
    assert 0 == forced.code
    assert before != (tmp_path / "paraph.toml").read_bytes()
    assert before == (tmp_path / "paraph.toml.bak").read_bytes()
    assert 0o600 == stat.S_IMODE((tmp_path / "paraph.toml.bak").stat().st_mode)
    assert "paraph.toml.bak holds the old settings" in forced.out
    run_init(tmp_path, "--force")
    assert before == (tmp_path / "paraph.toml.bak").read_bytes()
    assert (tmp_path / "paraph.toml.bak2").exists()


def test_questions_are_asked_until_the_answers_can_be_used(tmp_path: Path) -> None:
    """A wrong answer is explained and asked again; an empty one takes the default."""
    answers = [
        *("tidemark", "AbCdEf123456xyz", "short", "kF93-2bXq0-Zr8sLpW", "hN71_0cYwe-Ty6dRmVq"),
        *("http://zoom.example", "", "", "", "", "host", "http://127.0.0.1:8200/start"),
        *("http://127.0.0.1:8200/link", "", "", ""),
    ]
    done = run_command(tmp_path, "init", content="\n".join([*answers, ""]).encode())
    settings = load_settings(tmp_path / "paraph.toml")

    assert 0 == done.code, done.err
    assert "client_secret is shorter than 12 characters" in done.out
    assert "public_url is plain http" in done.out
    assert ("host", "http://127.0.0.1:8000") == (settings.linking, settings.public_url)
    assert not (tmp_path / "zoom-manifest.json").exists()
    assert "Enter this" not in done.out


def test_wrong_flags_write_nothing(tmp_path: Path) -> None:
    """All problems are reported at once, and the folder stays empty."""
    done = run_init(tmp_path, "--linking", "host", "--security-contact", "me")

    assert 2 == done.code
    assert "nothing was written" in done.err.splitlines()[-1]
    assert "start_url is missing" in done.err
    assert "security_contact must begin with" in done.err
    assert [] == list(tmp_path.iterdir())


def test_forwarded_events_are_signed(tmp_path: Path) -> None:
    """With a URL for events there is a fresh secret for their signatures."""
    run_init(tmp_path, "--forward-url", "https://tidemark.example/events")

    assert 1 == len(load_settings(tmp_path / "paraph.toml").forward_secrets)


def test_git_ignores_the_settings(tmp_path: Path) -> None:
    """In a repository the files with secrets are added to .gitignore, once."""
    subprocess.run([need_program("git"), "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "data").mkdir()
    (tmp_path / ".gitignore").write_bytes(b"/b\xfcild")
    run_init(tmp_path, "--database-url", "sqlite:///data/paraph.db")
    run_init(tmp_path, "--force", "--database-url", "sqlite:///data/paraph.db")
    found = run_command(tmp_path, "doctor", "--offline")

    assert [b"/b\xfcild", b"/paraph.toml", b"/data/paraph.db*", b"/paraph.toml.bak*"] == (
        (tmp_path / ".gitignore").read_bytes().splitlines()
    )
    assert 0 == found.code, found.out


def test_a_database_outside_the_repository_is_said(tmp_path: Path) -> None:
    """A file that .gitignore cannot name is not added to it."""
    folder = tmp_path / "app"
    (folder / ".git").mkdir(parents=True)
    done = run_init(folder, "--database-url", f"sqlite:///{tmp_path}/paraph.db")

    assert f"{tmp_path.resolve()}/paraph.db is outside" in done.out
    assert ["/paraph.toml"] == (folder / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--app-name", "\udcff"), "app_name is not text in UTF-8"),
        (("--manifest", "paraph.toml", "--force"), "name the same file"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    """Bytes that are no text, and two files of one name, are errors that write nothing."""
    done = run_init(tmp_path, *words)

    assert (2, []) == (done.code, list(tmp_path.iterdir()))
    assert said in done.err
