"""`paraph keys`: encryption keys."""

from __future__ import annotations

import typer

from paraph.storage.encryption import new_encryption_key

keys = typer.Typer(help="Encryption keys.", no_args_is_help=True)


@keys.callback()
def _group() -> None:
    """Encryption keys."""


@keys.command()
def new() -> None:
    """Make an encryption key, for the front of the list encryption_keys."""
    typer.echo(new_encryption_key())
