"""`paraph restore`: restores the database from a backup, in a new epoch."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from paraph.cli.output import counted
from paraph.cli.settings_file import config_option
from paraph.errors import UsageError
from paraph.visible_text import visible

if TYPE_CHECKING:
    from paraph.operations.restore import NewEpoch
    from paraph.secret import Secret
    from paraph.service.restoration import Circumstances
    from paraph.settings.model import Settings


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Delete the database that exists.")
@click.option("--in-place", is_flag=True, help="Treat the present database as a restored one.")
@click.option(
    "--receipts",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder with removal receipts of another machine. Repeatable.",
)
@click.option(
    "--made-with-key",
    multiple=True,
    metavar="ID",
    help="Trust this older encryption key: it never leaked. Repeatable.",
)
@click.option(
    "--from-0.1",
    "first_version",
    is_flag=True,
    help="Trust a backup and receipts of paraph 0.1: none of their keys ever leaked.",
)
@config_option
def restore(
    *,
    file: Path | None,
    replace: bool,
    in_place: bool,
    receipts: tuple[Path, ...],
    made_with_key: tuple[str, ...],
    first_version: bool,
    config: Path | None,
) -> None:
    """Restore the database from a backup.

    FILE was written by `paraph backup`. Every grant is suspended until a refresh proves it.
    Removals since the backup are repeated, and all API keys are replaced.
    """
    if (file is None) != in_place:
        raise UsageError(
            "restore needs a backup file, or --in-place", remedy="Give one of the two."
        )
    import asyncio

    from paraph.logs import set_up_logs
    from paraph.service.restoration import Circumstances, begin_epoch_in_place
    from paraph.settings.loading import load_settings
    from paraph.storage.backup.trust import Trust

    set_up_logs()
    settings = load_settings(config)
    missing = [str(folder) for folder in receipts if not folder.is_dir()]
    if missing:
        raise UsageError(f"there is no folder {', '.join(missing)}", remedy="Check --receipts.")
    trust = Trust(frozenset(made_with_key), first_version)
    circumstances = Circumstances(receipts, _spoiled, time.time, os.urandom, trust)
    if file is None:
        epoch = asyncio.run(begin_epoch_in_place(settings, circumstances))
    else:
        with _opened(file) as content:
            epoch = asyncio.run(_restore(settings, content, circumstances, replace=replace))
    _show(epoch)
    for label, key in asyncio.run(_reissue(settings, epoch)):
        click.echo(f"{visible(label)}\t{key.reveal()}")


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}", remedy="Name a backup file."
        ) from None


async def _restore(
    settings: Settings, content: BinaryIO, circumstances: Circumstances, *, replace: bool
) -> NewEpoch:
    from paraph.service.restoration import restore_backup
    from paraph.storage.backup.backup_file import BackupReader

    backup = BackupReader(content)
    made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(backup.head.made_at))
    click.echo(f"restoring a backup of {made}, schema {backup.head.schema}", err=True)
    with counted("rows restored", backup.head.rows) as advance:
        return await restore_backup(
            settings, backup, circumstances, replace=replace, advance=advance
        )


async def _reissue(settings: Settings, epoch: NewEpoch) -> list[tuple[str, Secret]]:
    """Create API keys with the permissions of the old ones."""
    from paraph.lifecycle.api_key import create_key
    from paraph.service.context import open_context

    async with open_context(settings) as (context, _readiness):
        return [
            (
                key.label,
                await create_key(
                    context, label=key.label, scopes=key.scopes, subject_prefix=key.subject_prefix
                ),
            )
            for key in epoch.ended_keys
        ]


def _spoiled(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(f"not trusted: {visible(line)}", err=True)
    if lines:
        click.echo(
            "A line that names a key was made with a key that is not in use: see --made-with-key. "
            "Other lines are incomplete or altered.",
            err=True,
        )


def _show(epoch: NewEpoch) -> None:
    click.echo(f"epoch {epoch.number} begins", err=True)
    click.echo(
        f"{epoch.suspended} grants are suspended until a refresh proves them: start the service",
        err=True,
    )
    click.echo(
        f"{epoch.receipts} removals since the backup were found in receipts, and {epoch.removed} "
        "grants were removed again",
        err=True,
    )
    if epoch.ended_keys:
        click.echo(
            f"{len(epoch.ended_keys)} API keys no longer work. Use these instead; only hashes are "
            "stored:",
            err=True,
        )
    for key in epoch.ended_keys:
        whose = f", subjects {visible(key.subject_prefix)}…" if key.subject_prefix else ""
        click.echo(
            f"{visible(key.label)} may: {', '.join(sorted(key.scopes))}{whose}",
            err=True,
        )
