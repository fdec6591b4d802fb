"""Bringing a database to the schema of this code, inside the caller's transaction.

The caller holds the write lock (SQLite: BEGIN IMMEDIATE), so of several processes that start
at once, one migrates and the others find it done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, select

from paraph.errors import ConfigurationError
from paraph.storage.encryption import KEY_BYTES, KeyRing
from paraph.storage.sealing import Sealing
from paraph.storage.tables import database_identity, metadata, stored_keys

HASH_KEY_NAMES = ("tombstone", "audit", "identifier")
_SEALED_KEY = "stored_keys.sealed"


def migrate(connection: Connection) -> None:
    """Apply every expanding step that the database has not seen.

    Raises:
        ConfigurationError: the database was made by a newer paraph.
    """
    config = Config()
    # A percent sign in the path would be taken for an interpolation.
    place = str(files("paraph.storage") / "migrations").replace("%", "%%")
    config.set_main_option("script_location", place)
    script = ScriptDirectory.from_config(config)
    newest = script.get_current_head()

    def steps(revision: Any, _context: Any) -> Any:
        known = {one.revision for one in script.walk_revisions()}
        unknown = [one for one in revision if one not in known]
        if unknown:
            raise ConfigurationError(
                [f"the database has schema {unknown[0]}, this code knows only {newest}"],
                remedy="Start the newer paraph that this database belongs to.",
            )
        return script._upgrade_revs("head", revision)  # noqa: SLF001 - What alembic's own command calls.

    with EnvironmentContext(config, script, fn=steps, destination_rev="head") as environment:
        environment.configure(connection=connection, target_metadata=metadata)
        environment.run_migrations()


def identify(connection: Connection, *, randomness: Callable[[int], bytes], now: int) -> str:
    """The random id of this database, drawn once."""
    known = connection.execute(select(database_identity.c.database_id)).scalar()
    if known is not None:
        return str(known)
    database_id = randomness(16).hex()
    connection.execute(insert(database_identity).values(database_id=database_id, created_at=now))
    return database_id


def load_hash_keys(
    connection: Connection,
    ring: KeyRing,
    database_id: str,
    *,
    randomness: Callable[[int], bytes],
) -> Mapping[str, bytes]:
    """The long-lived keys, made once and kept sealed.

    Rotating the ring seals them anew and never changes them: what they hashed stays findable.

    Raises:
        UnknownEncryptionKey, SealBroken: the ring is not the one of this database.
    """
    sealing = Sealing(ring, database_id)
    sealed = {row.name: row.sealed for row in connection.execute(select(stored_keys))}
    keys = {}
    for name in HASH_KEY_NAMES:
        if name in sealed:
            keys[name] = sealing.open(_SEALED_KEY, name, sealed[name])
        else:
            keys[name] = randomness(KEY_BYTES)
            connection.execute(
                insert(stored_keys).values(
                    name=name, sealed=sealing.seal(_SEALED_KEY, name, keys[name])
                )
            )
    return keys
