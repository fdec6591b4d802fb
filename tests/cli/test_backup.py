"""`paraph backup`, as an operator runs it."""

from __future__ import annotations

import stat
from pathlib import Path

from cli.commands import run_command
from paraph.sealing.encryption_key import new_encryption_key
from private_file import write_private


def backup(folder: Path, file: str) -> tuple[int, str]:
    """Run the command; its exit code and what it says."""
    done = run_command(folder, "backup", file)
    return done.code, done.err


def test_a_backup_is_its_owners_alone_and_overwrites_nothing(folder: Path) -> None:
    """Mode 0600, whole under its name at once; a second one under that name is refused."""
    assert 0 == backup(folder, "one.backup")[0]
    made = folder / "one.backup"
    assert 0o600 == stat.S_IMODE(made.stat().st_mode)
    assert not (folder / "one.backup.partial").exists()
    before = made.read_bytes()

    code, said = backup(folder, "one.backup")

    assert (1, before) == (code, made.read_bytes())
    assert "exists and was not changed" in said


def test_what_stands_where_it_would_be_written_is_not_followed(folder: Path) -> None:
    """A link that somebody put there leads nowhere, and another backup's beginning is kept."""
    victim = folder / "victim"
    victim.write_text("precious")
    (folder / "two.backup.partial").symlink_to(victim)

    code, said = backup(folder, "two.backup")

    assert (1, "precious") == (code, victim.read_text())
    assert "another backup is running" in said
    assert not (folder / "two.backup").exists()


def test_a_backup_of_a_rotated_key_restores_on_request_alone(folder: Path) -> None:
    """The key in front of the settings is believed, an older one after a word of the operator's."""
    code, said = backup(folder, "one.backup")
    assert 0 == code and "--made-with-key" in said
    settings = (folder / "paraph.toml").read_text()
    old = settings.partition('encryption_keys = ["')[2].partition(":")[0]
    newer = settings.replace(
        'encryption_keys = ["', f'encryption_keys = ["{new_encryption_key()}", "'
    )
    write_private(folder / "paraph.toml", newer)

    code, said = restore(folder, "one.backup", "--replace")
    assert (1, 2) == (code, len(said.splitlines()[-2:]))
    assert f"made with the key {old}" in said and f"--made-with-key {old}" in said
    code, said = restore(folder, "one.backup", "--replace", "--made-with-key", old)
    assert 0 == code, said


def restore(folder: Path, *words: str) -> tuple[int, str]:
    """Run the command; its exit code and what it says."""
    done = run_command(folder, "restore", *words)
    return done.code, done.err
