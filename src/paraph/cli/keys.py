"""`paraph keys`: encryption keys."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paraph.cli.command_group import CommandGroup
from paraph.cli.output import counted, day
from paraph.cli.settings_file import config_option, with_context
from paraph.errors import StorageError

if TYPE_CHECKING:
    from paraph.lifecycle.context import Context
    from paraph.operations.key_rotation import KeyStatus, Resealed, RingStatus


@click.group(cls=CommandGroup)
def keys() -> None:
    """Create, rotate and list encryption keys."""


@keys.command()
@click.option("--wrap", is_flag=True, help="Wrap the key with the key service of the settings.")
@config_option
def new(*, wrap: bool, config: Path | None) -> None:
    """Create an encryption key, for the front of the list encryption_keys."""
    from paraph.sealing.encryption_key import new_encryption_key

    click.echo(_wrapped(config) if wrap else new_encryption_key())
    click.echo(
        "To use it, put it in front of encryption_keys on every replica, restart the replicas, "
        "then run `paraph keys rotate`.",
        err=True,
    )


def _wrapped(config: Path | None) -> str:
    import asyncio

    from paraph.operations.open_key_ring import new_wrapped_key
    from paraph.settings.loading import load_key_service

    return asyncio.run(new_wrapped_key(load_key_service(config), os.urandom))


@keys.command()
@config_option
def rotate(*, config: Path | None) -> None:
    """Re-encrypt everything with the newest key.

    Run it again if it was interrupted.
    """

    async def work(context: Context) -> tuple[Resealed, RingStatus]:
        from paraph.operations import key_rotation

        if await key_rotation.begin_rotation(context):
            click.echo(f"The key {context.ring.key_id} seals from now on.")
        else:
            click.echo(f"The key {context.ring.key_id} already seals.")
        await key_rotation.await_replicas(context, _waiting)
        total = await key_rotation.count_outdated(context)
        with counted("re-encrypted", total) as advance:
            resealed = await key_rotation.reseal(context, advance)
        return resealed, await key_rotation.ring_status(context)

    resealed, status = with_context(config, work)
    click.echo(f"{resealed.done} values were re-encrypted.")
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
            remedy="Add the missing key to encryption_keys again; restore damaged rows.",
        )


@keys.command()
@config_option
def status(*, config: Path | None) -> None:
    """Show what each key still protects, and whether it can be removed."""
    from paraph.operations.key_rotation import ring_status

    _show(with_context(config, ring_status))


def _waiting(labels: Sequence[str]) -> None:
    click.echo(f"waiting for the replicas {', '.join(labels)}", err=True)


def _show(status: RingStatus) -> None:
    from paraph.operations.replica import LIVE_SECONDS, REST_SECONDS

    for key in status.keys:
        click.echo(_headline(key))
        click.echo(f"  protects   {_listed(key.protects) or 'nothing that is kept'}")
        if key.short_lived_until is not None:
            click.echo(f"  cookies    until {day(key.short_lived_until)} UTC")
        if not key.held:
            click.echo("  missing    add it to encryption_keys again: these rows cannot be read")
        elif key.obstacles:
            click.echo(f"  needed     {'; '.join(key.obstacles)}")
        else:
            click.echo(
                "  removable  remove it from encryption_keys, but keep it elsewhere: backups"
            )
            click.echo("             that were made with it need it")
    click.echo(f"hash keys    {', '.join(status.hash_keys)}: never change; sealed in stored_keys")
    for replica in status.replicas:
        held = ", ".join(replica.key_ids)
        click.echo(f"replica      {replica.label}: seals with {replica.sealing_key}, opens {held}")
        click.echo(f"             last report {max(0, status.at - replica.seen_at)} s ago")
    if status.replicas:
        click.echo(f"             each reports every {REST_SECONDS} s; one that was killed is")
        click.echo(f"             listed until {LIVE_SECONDS} s after its last report")
    if not status.replicas:
        click.echo("replica      no replica is running")


def _headline(key: KeyStatus) -> str:
    if key.seals:
        return f"key {key.key_id}: seals, since {day(key.sealing_since)} UTC"
    if key.sealing_since is None:
        return f"key {key.key_id}: opens; it has never sealed"
    return f"key {key.key_id}: opens only"


def _listed(protects: Mapping[str, int]) -> str:
    return ", ".join(f"{place} {count}" for place, count in protects.items())
