"""Modes, owners and git's view of the files of a set-up."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from operations.findings.set_ups import VALUES
from paraph.operations.probes.facts import FileFacts
from paraph.operations.probes.file_probe import file_facts
from paraph.settings.loading import inspect_settings
from private_file import write_private
from programs import need_program


def facts_in(folder: Path, **more: Any) -> dict[str, FileFacts]:
    """The facts of the files of a folder, by their names."""
    file = folder / "paraph.toml"
    values = {**VALUES, "database_url": f"sqlite:///{folder / 'paraph.db'}", **more}
    write_private(file, "\n".join(f"{name} = {json.dumps(v)}" for name, v in values.items()))
    return {Path(one.path).name: one for one in file_facts(file, inspect_settings(file))}


def test_modes_are_read(tmp_path: Path) -> None:
    """A database that others may read, and receipts that do not exist yet."""
    (tmp_path / "paraph.db").touch(mode=0o644)
    (tmp_path / "paraph.db").chmod(0o644)
    found = facts_in(tmp_path)

    assert 0o600 == found["paraph.toml"].mode
    assert 0o644 == found["paraph.db"].mode
    assert not found["paraph.db-receipts"].exists
    assert not found["paraph.toml"].in_repository


@pytest.mark.parametrize(
    ("folder", "obstacle"),
    [
        ("new/and/deeper", ""),
        ("paraph.toml/receipts", "Not a directory"),
        ("paraph.toml", "it is a file"),
        ("gone/receipts", "is not a folder"),
    ],
)
def test_receipts_need_a_folder_that_can_be_made(
    tmp_path: Path, folder: str, obstacle: str
) -> None:
    """The service creates missing folders; what stands in the way is read before a removal."""
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    path = tmp_path / folder
    found = facts_in(tmp_path, receipts_folder=str(path))
    (seen,) = (one for one in found.values() if one.role == "receipts")

    assert seen.obstacle.endswith(obstacle)
    assert bool(obstacle) is bool(seen.obstacle)


def test_a_place_that_this_user_cannot_write_to_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only database opens, and fails with the first delivery."""
    (tmp_path / "paraph.db").touch(mode=0o400)
    monkeypatch.setattr("os.access", lambda *_: False)
    found = facts_in(tmp_path)

    assert "cannot write to" in found["paraph.db"].obstacle
    assert "cannot write to" in found["paraph.db-receipts"].obstacle


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    """The mode of a folder that is named by mistake gives no advice to change it."""
    (found,) = [
        one for one in file_facts(tmp_path, inspect_settings(tmp_path)) if one.role == "settings"
    ]

    assert not found.exists


def test_files_of_keys_are_looked_at(tmp_path: Path) -> None:
    """The files that hold keys and tokens are named by the settings."""
    found = facts_in(tmp_path, encryption_keys=[], encryption_keys_file=str(tmp_path / "keys.txt"))

    assert ("keys", False) == (found["keys.txt"].role, found["keys.txt"].exists)


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:////"])
def test_a_database_without_a_name_is_no_file(tmp_path: Path, url: str) -> None:
    """A URL that names no file is a problem of the settings, and the other files are read."""
    roles = {one.role for one in facts_in(tmp_path, database_url=url).values()}

    assert {"settings"} == roles - {"receipts"}


def test_a_commit_of_the_past_is_found(tmp_path: Path) -> None:
    """A file that git ignores now may stand in a commit, which every clone has."""
    git = [need_program("git"), "-C", str(tmp_path), "-c", "user.name=j", "-c", "user.email=j@e.io"]
    facts_in(tmp_path)
    for command in (["init", "-q"], ["add", "paraph.toml"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run([*git, "rm", "-q", "--cached", "paraph.toml"], check=True)
    (tmp_path / ".gitignore").write_text("paraph.toml\n", encoding="utf-8")
    found = facts_in(tmp_path)["paraph.toml"]

    assert (True, True) == (found.ignored, found.committed)


def test_copies_of_the_settings_are_looked_at(tmp_path: Path) -> None:
    """Editors and upgrades leave copies beside a file, with the same secrets."""
    copies = {"paraph.toml~", ".paraph.toml.swp", "paraph.toml.bak2", "paraph.toml.orig"}
    for name in (*copies, "paraph.toml.md", "other.toml.bak"):
        (tmp_path / name).touch(mode=0o644)
    found = facts_in(tmp_path)

    assert copies == {name for name, one in found.items() if one.role == "settings copy"}


@pytest.mark.parametrize(("line", "ignored"), [("", False), ("paraph.toml\n", True)])
def test_git_says_whether_it_ignores_a_file(tmp_path: Path, line: str, *, ignored: bool) -> None:
    """A settings file in a repository is safe if git ignores it."""
    git = need_program("git")
    subprocess.run([git, "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text(line, encoding="utf-8")
    found = facts_in(tmp_path)["paraph.toml"]

    assert found.in_repository
    assert ignored is found.ignored
