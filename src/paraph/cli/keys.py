"""`paraph keys`: encryption keys."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from paraph.cli.api_keys import day
from paraph.cli.progress import counted
from paraph.cli.settings_file import ConfigOption, with_context
from paraph.config import load_key_service
from paraph.errors import StorageError
from paraph.lifecycle import key_rotation
from paraph.lifecycle.context import Context
from paraph.lifecycle.key_rotation import KeyStatus, Resealed, RingStatus
from paraph.service.keys import new_wrapped_key
from paraph.storage.encryption import new_encryption_key

keys = typer.Typer(help="Encryption keys.", no_args_is_help=True)


@keys.callback()
def _group() -> None:
    """Encryption keys."""


@keys.command()
def new(
    *,
    wrap: Annotated[
        bool, typer.Option("--wrap", help="Have the key service of the settings wrap it.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Make an encryption key, for the front of the list encryption_keys."""
    if wrap:
        typer.echo(asyncio.run(new_wrapped_key(load_key_service(config), os.urandom)))
    else:
        typer.echo(new_encryption_key())
    typer.echo(
        "To turn to it: put it in front of encryption_keys on every replica, restart them, "
        "then run paraph keys rotate.",
        err=True,
    )


@keys.command()
def rotate(config: ConfigOption = None) -> None:
    """Let the newest key seal, and seal everything anew; run it again if it was interrupted."""

    async def work(context: Context) -> tuple[Resealed, RingStatus]:
        if await key_rotation.begin_turn(context):
            typer.echo(f"The key {context.ring.key_id} seals from now on.")
        else:
            typer.echo(f"The key {context.ring.key_id} seals already.")
        await key_rotation.await_replicas(context, _waiting)
        total = await key_rotation.count_outdated(context)
        with counted("sealed anew", total) as advance:
            resealed = await key_rotation.seal_anew(context, advance)
        return resealed, await key_rotation.ring_status(context)

    resealed, status = with_context(config, work)
    typer.echo(f"{resealed.done} values were sealed anew.")
    _show(status)
    if resealed.unknown or resealed.broken:
        raise StorageError(
            "; ".join(
                [
                    *(
                        f"{n} of {place} name a missing key"
                        for place, n in resealed.unknown.items()
                    ),
                    *(f"{n} of {place} are damaged" for place, n in resealed.broken.items()),
                ]
            ),
            remedy="Put the missing key back into encryption_keys; restore damaged rows.",
        )


@keys.command()
def status(config: ConfigOption = None) -> None:
    """Show what each key still protects, and whether it can be removed."""
    _show(with_context(config, key_rotation.ring_status))


def _waiting(labels: Sequence[str]) -> None:
    typer.echo(f"waiting for {', '.join(labels)}", err=True)


def _show(status: RingStatus) -> None:
    for key in status.keys:
        typer.echo(_headline(key))
        typer.echo(f"  protects   {_listed(key.protects) or 'nothing that is kept'}")
        if key.short_lived_until is not None:
            typer.echo(f"  cookies    until {day(key.short_lived_until)} UTC")
        if not key.held:
            typer.echo("  missing    put it back into encryption_keys: these rows cannot be read")
        elif key.obstacles:
            typer.echo(f"  needed     {'; '.join(key.obstacles)}")
        else:
            typer.echo(
                "  removable  take it out of encryption_keys; backups that were made with it"
            )
            typer.echo("             need it still: keep it as long as them, apart from them")
    typer.echo(f"hash keys    {', '.join(status.hash_keys)}: never change; sealed in stored_keys")
    for replica in status.replicas:
        held = ", ".join(replica.key_ids)
        typer.echo(f"replica      {replica.label}: seals with {replica.sealing_key}, opens {held}")
    if not status.replicas:
        typer.echo("replica      none is running")


def _headline(key: KeyStatus) -> str:
    if key.seals:
        return f"key {key.key_id}: seals, since {day(key.sealing_since)} UTC"
    if key.sealing_since is None:
        return f"key {key.key_id}: opens; has never sealed"
    return f"key {key.key_id}: opens only"


def _listed(protects: Mapping[str, int]) -> str:
    return ", ".join(f"{place} {count}" for place, count in protects.items())
