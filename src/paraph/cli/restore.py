"""`paraph restore`: a backup becomes the database again, in a new epoch."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from paraph.cli.progress import counted
from paraph.cli.settings_file import ConfigOption
from paraph.config import Settings, load_settings
from paraph.errors import UsageError
from paraph.lifecycle.api_key import create_key
from paraph.lifecycle.restore import NewEpoch
from paraph.logs import set_up_logs
from paraph.secret import Secret
from paraph.service.app import open_context
from paraph.service.restoration import Circumstances, begin_epoch_in_place, restore_backup
from paraph.storage.backup_file import BackupReader

ReceiptsOption = Annotated[
    list[Path] | None,
    typer.Option(help="Another folder with removal receipts, of another machine; repeatable."),
]


def restore(
    file: Annotated[Path | None, typer.Argument(help="A backup that paraph backup wrote.")] = None,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Throw away the database that is there.")
    ] = False,
    in_place: Annotated[
        bool,
        typer.Option("--in-place", help="Take the database as it stands for a restored one."),
    ] = False,
    receipts: ReceiptsOption = None,
    config: ConfigOption = None,
) -> None:
    """Restore a backup: every grant has to prove itself, removals are repeated, API keys end."""
    if (file is None) != in_place:
        raise UsageError(
            "restore needs a backup file, or --in-place", remedy="Give one of the two."
        )
    set_up_logs()
    settings = load_settings(config)
    folders = tuple(receipts or ())
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        raise UsageError(f"there is no folder {', '.join(missing)}", remedy="Check --receipts.")
    circumstances = Circumstances(folders, _spoiled, time.time, os.urandom)
    if file is None:
        began = asyncio.run(begin_epoch_in_place(settings, circumstances))
    else:
        with _opened(file) as content:
            began = asyncio.run(_restore(settings, content, circumstances, replace=replace))
    _show(began)
    for label, key in asyncio.run(_reissue(settings, began)):
        typer.echo(f"{label}\t{key.reveal()}")


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
    backup = BackupReader(content)
    made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(backup.head.made_at))
    typer.echo(f"restoring a backup of {made}, schema {backup.head.schema}", err=True)
    with counted("rows restored", backup.head.rows) as advance:
        return await restore_backup(
            settings, backup, circumstances, replace=replace, advance=advance
        )


async def _reissue(settings: Settings, began: NewEpoch) -> list[tuple[str, Secret]]:
    """API keys that can do what the ended ones could."""
    async with open_context(settings) as (context, _readiness):
        return [
            (
                key.label,
                await create_key(
                    context, label=key.label, scopes=key.scopes, subject_prefix=key.subject_prefix
                ),
            )
            for key in began.ended_keys
        ]


def _spoiled(lines: Sequence[str]) -> None:
    for line in lines:
        typer.echo(f"not believed, torn or altered: {line}", err=True)


def _show(began: NewEpoch) -> None:
    typer.echo(f"epoch {began.number} begins", err=True)
    typer.echo(
        f"{began.suspended} grants are suspended until a refresh proves them: start the service",
        err=True,
    )
    typer.echo(
        f"{began.receipts} removals since the backup were found outside, and {began.removed} "
        "grants removed again",
        err=True,
    )
    if began.ended_keys:
        typer.echo(
            f"{len(began.ended_keys)} API keys ended. Keep these in their place; only their "
            "hashes are stored:",
            err=True,
        )
