"""`paraph backup`: writes the whole database to one file while the service runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from paraph.cli.output import counted
from paraph.cli.settings_file import config_option, with_context
from paraph.errors import StorageError, UsageError

if TYPE_CHECKING:
    from paraph.lifecycle.context import Context
    from paraph.operations.backup import Backup


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@config_option
def backup(*, file: Path, config: Path | None) -> None:
    """Write a consistent backup while the service runs.

    FILE must not exist; - is standard output. Sealed values stay sealed:
    keep the encryption keys elsewhere.
    """

    async def work(context: Context) -> Backup:
        from paraph.operations.backup import count_rows, take_backup

        with counted("rows written", await count_rows(context)) as advance:
            if str(file) == "-":
                return await take_backup(context, sys.stdout.buffer, advance)
            with _NewFile(file) as (partial, output):
                made = await take_backup(context, output, advance)
                output.flush()
                os.fsync(output.fileno())
            partial.rename(file)
            return made

    try:
        made = with_context(config, work)
    except OSError as error:
        raise StorageError(
            f"the backup cannot be written: {error.strerror}",
            remedy="Free disk space, and run the command again.",
        ) from None
    click.echo(f"{made.rows} rows, sha256 {made.sha256}", err=True)
    click.echo(
        f"To restore it you need the encryption keys {', '.join(made.key_ids)}: keep them as long "
        "as the backup, in another place.",
        err=True,
    )
    click.echo(
        f"The key {made.made_with} authenticates it: after a rotation, restore it with "
        f"--made-with-key {made.made_with}.",
        err=True,
    )


class _NewFile:
    """Creates a private file under a temporary name; it is deleted if the block fails."""

    def __init__(self, file: Path) -> None:
        if file.exists():
            raise UsageError(
                f"{file} exists and was not changed", remedy="Name a file that does not exist."
            )
        self._partial = file.with_name(f"{file.name}.partial")

    def __enter__(self) -> tuple[Path, BinaryIO]:
        try:
            # Never open an existing file: it belongs to another backup, or is an attacker's link.
            descriptor = os.open(self._partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            raise UsageError(
                f"{self._partial} exists: another backup is running, or was killed",
                remedy="Delete it if no other backup is running, and run the command again.",
            ) from None
        self._output = os.fdopen(descriptor, "wb")
        return self._partial, self._output

    def __exit__(self, kind: object, *_: object) -> None:
        self._output.close()
        if kind is not None:
            self._partial.unlink(missing_ok=True)
