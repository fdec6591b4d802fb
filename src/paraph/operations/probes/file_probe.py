"""Reads modes and owners of the files that the settings name, and asks git about them."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from paraph.operations.probes.facts import FileFacts
from paraph.settings.loading import Inspected
from paraph.settings.sqlite_url import sqlite_file

_GIT_SECONDS = 10
# `*` is the name of the file that they are copies of.
_COPY = re.compile(
    r"\*(?:~|\.(?:bak|old|orig|save|copy|backup|sw[a-p]|rpmsave|dpkg-old)\S*)|\.\*\.sw[a-p]"
)
# The roles of what the service writes to.
_WRITTEN = frozenset({"database", "receipts"})


def file_facts(settings_file: Path, inspected: Inspected) -> tuple[FileFacts, ...]:
    """Read the facts of every file that holds secrets or personal data.

    Args:
        settings_file: the settings file; it may be missing.
        inspected: the settings, with their problems.
    """
    return tuple(_facts_of(path, role) for path, role in _files(settings_file, inspected))


def _files(settings_file: Path, inspected: Inspected) -> Iterator[tuple[Path, str]]:
    written, settings = inspected.written, inspected.settings
    yield settings_file, "settings"
    for copy in _copies(settings_file):
        yield copy, "settings copy"
    if database := sqlite_file(written.database_url):
        for suffix in ("", "-wal", "-shm"):
            yield Path(database + suffix), "database"
    for name, role in (
        (written.encryption_keys_file, "keys"),
        (written.key_service_token_file, "key service token"),
        (settings.receipts_folder if settings else written.receipts_folder, "receipts"),
    ):
        if name:
            yield Path(name), role


def _facts_of(path: Path, role: str) -> FileFacts:
    try:
        status = path.stat()
        folder_mode = stat.S_IMODE(path.absolute().parent.stat().st_mode)
    except (OSError, ValueError) as error:
        return FileFacts(str(path), role, exists=False, obstacle=_why_not_there(path, role, error))
    if stat.S_ISDIR(status.st_mode) != (role == "receipts"):
        # A folder has another mode than a file.
        wrong = "it is a file" if role == "receipts" else "it is a folder"
        return FileFacts(str(path), role, exists=False, obstacle=wrong)
    inside = _working_tree(path.absolute().parent)
    return FileFacts(
        path=str(path),
        role=role,
        # Windows has no such modes.
        mode=0o600 if os.name == "nt" else stat.S_IMODE(status.st_mode),
        owned_by_another=os.name != "nt" and status.st_uid not in {0, os.geteuid()},
        root_reads_by_group=os.name != "nt"
        and status.st_uid == 0 != os.geteuid()
        and status.st_gid in {os.getegid(), *os.getgroups()},
        folder_mode=0o700 if os.name == "nt" else folder_mode,
        in_repository=inside is not None,
        ignored=None if inside is None else _is_ignored(path),
        committed=inside is not None and bool(_git(path, "log", "--all", "-1", "--format=%h")[1]),
        obstacle=_why_not_writable(path) if role in _WRITTEN else "",
    )


def _why_not_there(path: Path, role: str, error: OSError | ValueError) -> str:
    """Return what hinders the use of a path that has no facts; "" if it can be created."""
    if not isinstance(error, OSError):
        return str(error)
    if not isinstance(error, FileNotFoundError):
        return error.strerror or type(error).__name__
    if role != "receipts":
        return ""
    # The service creates the folder and its parents with the first removal.
    parent = next(one for one in path.absolute().parents if os.path.lexists(one))
    if not parent.is_dir():
        return f"{parent} is not a folder"
    return _why_not_writable(parent)


def _why_not_writable(path: Path) -> str:
    wanted = os.W_OK | (os.X_OK if path.is_dir() else 0)
    return "" if os.access(path, wanted) else f"this user cannot write to {path}"


def _working_tree(folder: Path) -> Path | None:
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), None)


def _is_ignored(path: Path) -> bool | None:
    """Ask git whether it ignores a file; None if git cannot say."""
    status, _ = _git(path, "check-ignore", "--quiet")
    return {0: True, 1: False}.get(status)


def _git(path: Path, *command: str) -> tuple[int, bytes]:
    """Run git for one file; return its exit code and output, or -1 if it cannot say."""
    git = shutil.which("git")
    if git is None:
        return -1, b""
    try:
        # A fixed program and a path that stands behind "--": no option can be smuggled in.
        done = subprocess.run(  # noqa: S603
            [git, *command, "--", path.name],
            cwd=path.absolute().parent,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return -1, b""
    return done.returncode, done.stdout if done.returncode == 0 else b""


def _copies(file: Path) -> Iterator[Path]:
    """Yield the copies of a file that editors and `paraph init` leave beside it."""
    try:
        names = sorted(one.name for one in file.absolute().parent.iterdir())
    except OSError:
        return
    for name in names:
        if _COPY.fullmatch(name.replace(file.name, "*", 1)):
            yield file.with_name(name)
