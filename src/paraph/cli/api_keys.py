"""`paraph api-keys`: keys of the management API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from paraph.cli.command_group import CommandGroup
from paraph.cli.output import day, show_table
from paraph.cli.random_id import IdCommand
from paraph.cli.settings_file import config_option, with_context

if TYPE_CHECKING:
    from paraph.lifecycle.context import Context
    from paraph.model.management import ApiKey

# The values of `lifecycle.api_key.Scope`, which a help text must not import.
SCOPES = ("link", "read", "vend", "proxy", "remove")


@click.group(cls=CommandGroup)
def api_keys() -> None:
    """Create, list and revoke keys of the management API."""


@api_keys.command()
@click.option("--label", required=True, help="A name that tells this key from the others.")
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="A permission of the key. Repeatable. Without a subject prefix, `read` is an operator's"
    " permission: it also pauses and resumes forwarding, redelivers events and exports a user's"
    " data.",
)
@click.option(
    "--subject-prefix",
    default="",
    show_default=False,
    help="The key sees only subjects that begin with this text. Recommended for products.",
)
@config_option
def create(*, label: str, scope: tuple[str, ...], subject_prefix: str, config: Path | None) -> None:
    """Create a key. It is shown only once."""

    async def work(context: Context) -> str:
        from paraph.lifecycle.api_key import create_key

        key = await create_key(context, label=label, scopes=scope, subject_prefix=subject_prefix)
        return key.reveal()

    key = with_context(config, work)
    click.echo("Save this key now; only its hash is stored:", err=True)
    click.echo(key)


@api_keys.command("list")
@config_option
def list_keys(*, config: Path | None) -> None:
    """Show all keys, including revoked ones."""

    async def work(context: Context) -> list[ApiKey]:
        async with context.store.reading() as tx:
            return list(await tx.api_keys.all())

    rows = [
        (
            key.key_id,
            key.label,
            " ".join(sorted(key.scopes)),
            f"{key.subject_prefix}*",
            day(key.created_at),
            day(key.last_used_at),
            day(key.revoked_at),
        )
        for key in with_context(config, work)
    ]
    columns = ("key", "label", "scopes", "subjects", "created", "last used", "revoked")
    show_table(rows, columns=columns)


@api_keys.command(cls=IdCommand)
@click.argument("key_id")
@config_option
def revoke(*, key_id: str, config: Path | None) -> None:
    """Revoke a key at once. KEY_ID is from `paraph api-keys list`."""

    async def work(context: Context) -> None:
        from paraph.lifecycle.api_key import revoke_key

        await revoke_key(context, key_id)

    with_context(config, work)
    click.echo(f"The key {key_id} is revoked.")
