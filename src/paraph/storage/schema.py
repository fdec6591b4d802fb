"""Migrates a database to the schema of this code, inside the caller's transaction.

The caller holds the lock of migrations, so of several processes that start at once, one migrates
and the others find it done. There are two kinds of steps, on two branches:

- *Expanding* steps ("0004") only add what older code can ignore: tables, columns that may stay
  empty or have a default, indexes. They run at start, while replicas of older code
  continue; older code may also start again afterwards.
- *Contracting* steps ("c0001") remove what no code uses any more. They run when an operator
  says that no older code is left (`paraph migrate`). Code that does not know one of them refuses
  to start: it may need what was removed.

The revision's name shows its kind, so that older code recognises the kind of an unknown step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, insert, inspect, literal, select, text

from paraph.errors import ConfigurationError
from paraph.model.deployment import Epoch
from paraph.sealing.encryption_key import KEY_BYTES
from paraph.sealing.key_ring import KeyRing
from paraph.sealing.row import Sealing
from paraph.storage.tables import (
    database_identity,
    former_events,
    key_rotations,
    metadata,
    stored_keys,
)

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

HASH_KEY_NAMES = ("tombstone", "audit", "identifier", "receipts", "backup")
_SEALED_KEY = "stored_keys.sealed"
_LOCK_SECONDS = 3
_STEPS = files("paraph.storage") / "migrations"
_STEP_FILE = re.compile(r"(c?\d{4})_\w+\.py")


def expand(connection: Connection, *, revision: str = "", place: str = "") -> None:
    """Apply every expanding step that the database does not have.

    Args:
        connection: in a transaction of the caller.
        revision: the last step to apply; default: all steps.
        place: the folder of the steps; default: the package's own.

    Raises:
        ConfigurationError: the database has a step that only a newer paraph supports, or the
            revision is of a newer paraph.
    """
    if revision or place or not _is_current(connection):
        _apply(connection, place, contracting=False, revision=revision)


def prepare(connection: Connection) -> None:
    """Bring a database to the schema that this code needs at its start.

    A new database gets the contracting steps too: no older code has ever used it.

    Raises:
        ConfigurationError: see `expand`.
    """
    is_new = not inspect(connection).get_table_names()
    expand(connection)
    if is_new:
        contract(connection)


def contract(connection: Connection, *, place: str = "") -> list[str]:
    """Apply every contracting step that the database does not have; return their names.

    Also drop what an earlier step has left behind until it was empty.

    Raises:
        ConfigurationError: see `expand`.
    """
    applied = _apply(connection, place, contracting=True)
    for table in _emptied(connection):
        if connection.dialect.name == "postgresql":
            # While it waits for its lock, every statement on events waits behind it.
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
        table.drop(connection)
        applied.append(table.name)
    return applied


def _emptied(connection: Connection) -> list[Table]:
    """Return the tables that a contracting step has left behind and that are empty by now."""
    return [
        table
        for table in (former_events,)
        if inspect(connection).has_table(table.name)
        and connection.execute(select(literal(1)).select_from(table).limit(1)).first() is None
    ]


def removable_tables(connection: Connection) -> tuple[str, ...]:
    """Return the names of the tables that `contract` would drop."""
    return tuple(table.name for table in _emptied(connection))


def is_contracting(revision: str) -> bool:
    """Return True if a step, even an unknown one, may remove what older code needs."""
    return revision.startswith("c")


def compare_steps(taken: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Compare the steps that a database has with those of this code.

    Args:
        taken: the newest steps that it has, one of each branch.

    Returns:
        `missing` (expanding) and `removable` (contracting) steps that it does not have, and
        `unknown` contracting steps.
    """
    _, script = _own_steps()
    known = {one.revision for one in script.walk_revisions()}
    unknown = [one for one in taken if one not in known]
    has = {
        one.revision
        for head in taken
        if head in known
        for one in script.iterate_revisions(head, "base", inclusive=True)
    }
    # Newer expanding code has applied all expanding steps that this code knows.
    newer = any(not is_contracting(one) for one in unknown)
    missing = sorted(known - has)
    return {
        "missing": tuple(one for one in missing if not is_contracting(one) and not newer),
        "removable": tuple(one for one in missing if is_contracting(one)),
        "unknown": tuple(one for one in unknown if is_contracting(one)),
    }


def _is_current(connection: Connection) -> bool:
    """Return True if the database has the newest expanding step and no unknown one.

    The name of a step is in the name of its file. Alembic takes 0.1 s of CPU time and 8 MB, and
    nearly every start finds nothing to apply.
    """
    known = sorted(
        match[1]
        for file in (_STEPS / "versions").iterdir()
        if (match := _STEP_FILE.fullmatch(file.name))
    )
    newest = max((one for one in known if not is_contracting(one)), default="")
    if not inspect(connection).has_table("alembic_version"):
        return False
    taken = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return newest in taken and set(taken) <= set(known)


def _apply(
    connection: Connection, place: str, *, contracting: bool, revision: str = ""
) -> list[str]:
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationStep

    config, script = _load_steps(place) if place else _own_steps()
    known = {one.revision for one in script.walk_revisions()}
    applied: list[str] = []

    def steps(taken: Any, _context: Any) -> Any:
        unknown = [one for one in taken if one not in known]
        gone = [one for one in unknown if is_contracting(one)]
        if revision and revision not in known:
            gone = [revision]
        if gone:
            raise ConfigurationError(
                [f"the database has taken the step {gone[0]}, which this code does not know"],
                remedy="Start the newer paraph that this database belongs to.",
            )
        heads = [head for head in script.get_heads() if is_contracting(head) == contracting]
        if unknown or not heads:
            # Newer code has run here, and has applied all steps that this code knows.
            return []
        missing = script.iterate_revisions(revision or heads[0], taken, implicit_base=True)
        found = [
            MigrationStep.upgrade_from_script(script.revision_map, one)
            for one in reversed(list(missing))
        ]
        applied.extend(step.revision.revision for step in found)
        return found

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(connection=connection, target_metadata=metadata)
        environment.run_migrations()
    return applied


@cache
def _own_steps() -> tuple[Config, ScriptDirectory]:
    return _load_steps(str(_STEPS))


def _load_steps(place: str) -> tuple[Config, ScriptDirectory]:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    # A percent sign in the path would be read as an interpolation.
    config.set_main_option("script_location", place.replace("%", "%%"))
    return config, ScriptDirectory.from_config(config)


def identify(connection: Connection, *, randomness: Callable[[int], bytes], now: int) -> str:
    """Return the random id of this database, which the first call creates."""
    known = connection.execute(select(database_identity.c.database_id)).scalar()
    if known is not None:
        return str(known)
    database_id = randomness(16).hex()
    connection.execute(insert(database_identity).values(database_id=database_id, created_at=now))
    return database_id


def epoch_of(connection: Connection) -> Epoch:
    """Return the number of restores of this database, and the time of the last one."""
    row = connection.execute(
        select(database_identity.c.epoch, database_identity.c.epoch_began_at)
    ).one()
    return Epoch(row.epoch, row.epoch_began_at)


def adopt_sealing_key(connection: Connection, ring: KeyRing, *, now: int) -> None:
    """Make the ring seal with the key that the database names; in a new one, with the newest.

    Raises:
        UnknownEncryptionKey: the ring does not hold that key, so nothing can be sealed.
    """
    newest = select(key_rotations.c.key_id).order_by(key_rotations.c.turn.desc()).limit(1)
    key_id = connection.execute(newest).scalar()
    if key_id is None:
        key_id = ring.newest
        connection.execute(insert(key_rotations).values(turn=1, key_id=key_id, began_at=now))
    ring.seal_with(key_id)


def load_hash_keys(
    connection: Connection,
    ring: KeyRing,
    database_id: str,
    *,
    randomness: Callable[[int], bytes],
) -> Mapping[str, bytes]:
    """Return the long-lived hash keys, created once and stored sealed.

    A rotation seals them again and never changes them, so existing hashes stay valid.

    Raises:
        UnknownEncryptionKey, SealBroken: the ring does not belong to this database.
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
