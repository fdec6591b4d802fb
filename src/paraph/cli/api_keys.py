"""`paraph api-keys`: keys of the management API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from paraph.cli.settings_file import ConfigOption, with_context
from paraph.cli.table import show_table
from paraph.lifecycle.api_key import Scope, create_key, revoke_key
from paraph.lifecycle.context import Context
from paraph.storage.records import ApiKey

api_keys = typer.Typer(help="Keys of the management API.", no_args_is_help=True)


@api_keys.command()
def create(
    label: Annotated[str, typer.Option(help="Whose key this is, to tell it from others.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; may be repeated.")],
    subject_prefix: Annotated[
        str, typer.Option(help="Only subjects that begin so are visible to it.")
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Make a key. It is shown now and never again."""

    async def work(context: Context) -> str:
        key = await create_key(
            context,
            label=label,
            scopes=[one.value for one in scope],
            subject_prefix=subject_prefix,
        )
        return key.reveal()

    key = with_context(config, work)
    typer.echo("Keep this key now; only its hash is stored:", err=True)
    typer.echo(key)


@api_keys.command("list")
def list_keys(config: ConfigOption = None) -> None:
    """Show all keys, revoked ones too."""

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
    columns = ("key", "label", "scopes", "subjects", "made", "last used", "revoked")
    show_table(rows, columns=columns)


@api_keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, from `paraph api-keys list`.")],
    config: ConfigOption = None,
) -> None:
    """End a key at once."""

    async def work(context: Context) -> None:
        await revoke_key(context, key_id)

    with_context(config, work)
    typer.echo(f"The key {key_id} is revoked.")


def day(epoch: int | None) -> str:
    """A time as people read it."""
    return "" if epoch is None else f"{datetime.fromtimestamp(epoch, tz=UTC):%Y-%m-%d %H:%M}"
