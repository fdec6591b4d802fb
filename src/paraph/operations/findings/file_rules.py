"""Rules over the files of a set-up: who may read or replace them, and who finds them in git."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator

from paraph.operations.findings.rule import Finding
from paraph.operations.probes.facts import FileFacts

# The secrets and personal data in each kind of file.
_HOLDS = {
    "settings": "the client secret and the encryption keys",
    "settings copy": "the client secret and the encryption keys",
    "keys": "the encryption keys",
    "key service token": "the token of the key service",
    "database": "sealed tokens, and ids and e-mail addresses of people",
    "receipts": "hashes of removed people",
}
# If these cannot be opened, the settings' own checks or those of the database say so.
_SEEN_OTHERWISE = frozenset({"settings", "database"})
_REQUIRED = frozenset({"keys", "key service token"})


def file_findings(file: FileFacts) -> Iterator[Finding]:
    """Find what is weak about one file."""
    if file.obstacle and (file.exists or file.role not in _SEEN_OTHERWISE):
        yield Finding(
            "file-not-usable",
            file.path,
            f"It is to hold {_HOLDS[file.role]}, and cannot be used: {file.obstacle}.",
            "Let the service's own user use it, or correct the path in the settings.",
        )
    if not file.exists:
        if file.role in _REQUIRED and not file.obstacle:
            yield Finding(
                "file-missing",
                file.path,
                f"The file with {_HOLDS[file.role]} does not exist.",
                "Create it, or correct its path in the settings.",
            )
        return
    yield from _mode_findings(file)
    if file.owned_by_another:
        yield Finding(
            "file-of-another",
            file.path,
            "The file belongs to neither this user nor root, and its owner can change its mode.",
            f"Run chown for the service's own user on {file.path}.",
        )
    if file.in_repository and file.ignored is False:
        yield Finding(
            "secret-in-repository",
            file.path,
            f"It holds {_HOLDS[file.role]}, lies in a git repository, and is not ignored: the next "
            "`git add .` publishes it.",
            f"Add {file.path} to .gitignore. If it was committed, replace every secret in it.",
        )
    elif file.committed:
        yield Finding(
            "secret-in-repository",
            file.path,
            f"It holds {_HOLDS[file.role]}, and a commit of its git repository has a file of this "
            "name: everybody with a clone may have them.",
            "Replace every secret that was ever in it; deleting the file does not delete commits.",
        )


def _mode_findings(file: FileFacts) -> Iterator[Finding]:
    folder = file.role == "receipts"
    if file.mode & 0o077 and not _is_for_group_of_root(file):
        yield Finding(
            "file-open-to-others",
            file.path,
            f"It holds {_HOLDS[file.role]}, and its mode {file.mode:04o} lets others in.",
            f"Run chmod {'700' if folder else '600'} {shlex.quote(file.path)}.",
        )
    others_write = file.folder_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if others_write and not file.folder_mode & stat.S_ISVTX:
        yield Finding(
            "folder-open-to-others",
            file.path,
            f"Others can write to its folder (mode {file.folder_mode & 0o7777:04o}) and put "
            "another file in its place.",
            "Run chmod go-w on the folder.",
        )


def _is_for_group_of_root(file: FileFacts) -> bool:
    """Return true for a settings file of root that the service's own group reads."""
    return file.role == "settings" and file.root_reads_by_group and not file.mode & 0o037
