"""Rules over the database, its schema, and the keys that it was sealed with."""

from __future__ import annotations

from collections.abc import Iterator

from paraph.operations.findings.rule import Finding
from paraph.operations.probes.facts import DatabaseFacts
from paraph.settings.model import Settings

_CLOCK_SECONDS = 5


def database_findings(database: DatabaseFacts, settings: Settings | None) -> Iterator[Finding]:
    """Find what is weak about the database."""
    if not database.exists:
        return
    if database.failure:
        yield Finding(
            "database-unreachable",
            "database_url",
            f"The database cannot be used: {database.failure}.",
            database.remedy or "Start it, or correct database_url; `paraph serve` needs it.",
        )
        return
    if database.unknown_steps:
        yield Finding(
            "database-of-newer-code",
            "database_url",
            f"It has taken the step {database.unknown_steps[0]}, which this code does not know.",
            "Install the paraph that this database belongs to.",
        )
    if database.removable_steps:
        yield Finding(
            "schema-outdated",
            "database_url",
            f"{len(database.removable_steps)} contracting steps are not applied.",
            "Run `paraph migrate` when no older version runs any more.",
        )
    held = (
        {one.reveal().partition(":")[0] for one in settings.encryption_keys} if settings else set()
    )
    if settings is not None and database.sealing_key and database.sealing_key not in held:
        yield Finding(
            "key-not-held",
            "encryption_keys",
            f"The database seals with the key {database.sealing_key}, which is not held.",
            "Add that key again: without it no token can be opened.",
        )
    if database.pooler == "session":
        yield Finding(
            "pooler-in-session-mode",
            "database_url",
            "The pooler gives each client a server of its own, so replicas wait for servers, and "
            "ask once a second for the work of commands instead of being notified.",
            "Switch the pooler to transaction mode.",
        )
    if abs(database.clock_ahead) >= _CLOCK_SECONDS:
        yield Finding(
            "clock-of-database",
            "database_url",
            f"The database's clock differs by {database.clock_ahead:.0f} seconds.",
            "Synchronise both machines with NTP.",
        )
