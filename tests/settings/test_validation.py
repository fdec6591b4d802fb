"""Where a database and an event stream may be without TLS: here, and nowhere else."""

from __future__ import annotations

import pytest

from paraph.settings.validation import SettingChecks


def said(method: str, value: str) -> list[str]:
    """Problems with one value."""
    checks = SettingChecks()
    assert value == getattr(checks, method)("name", value)
    return checks.problems


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///paraph.db",
        "sqlite:////var/lib/paraph.db",
        "postgresql:///paraph",
        "postgresql://paraph@/paraph",
        "postgresql://paraph:p%40w@127.0.0.1:5432/paraph",
        "postgresql://localhost/paraph",
        "postgresql://[::1]:5432/paraph",
        "postgresql://%2Frun%2Fpostgresql/paraph",
        "postgresql:///paraph?host=/run/postgresql",
        "postgresql://user@/paraph?host=%2Ftmp&port=5433",
        "postgresql://db.internal/paraph?sslmode=verify-full",
        "postgres://db.internal/paraph?sslmode=verify-full&channel_binding=prefer",
        "postgresql+asyncpg://db.internal/paraph?sslmode=verify-full&sslrootcert=system",
        "postgresql://db.internal/paraph?sslrootcert=system",
        "postgresql://db.internal/paraph?sslmode=require",
        "postgresql://127.0.0.1:1,localhost:2/paraph",
    ],
)
def test_a_database_here_or_behind_tls_is_taken(url: str) -> None:
    """Loopback, a socket, or an sslmode that insists on encryption."""
    assert [] == said("database_url", url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db.internal/paraph",
        "postgresql://paraph:secret-pw@10.0.0.1:5432/paraph",
        "postgresql://db/paraph?sslmode=disable",
        "postgresql://db/paraph?sslmode=prefer",
        "postgresql://db/paraph?sslmode=allow",
        "postgresql://127.0.0.1,db.internal/paraph",
        "postgresql:///paraph?host=db.internal",
        "postgresql://[fd00::1]/paraph",
        "postgresql://127.0.0.1@db.internal/paraph",
        "postgresql://127.0.0.1.example/paraph",
    ],
)
def test_a_database_elsewhere_needs_tls(url: str) -> None:
    """One line that says what to add, without the URL and its password."""
    (problem,) = said("database_url", url)
    assert problem.startswith("name leads to another machine without TLS: add sslmode=verify-full")
    assert "secret-pw" not in problem


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("", True),
        ("nats://127.0.0.1:4222", True),
        ("nats://user:pw@localhost:4222?replicas=1&monitor=http://127.0.0.1:8222", True),
        ("nats://[::1]:4222,127.0.0.1:4223", True),
        ("tls://one.internal:4222,two.internal:4222", True),
        ("nats://one.internal:4222", False),
        ("nats://127.0.0.1:4222,two.internal:4222", False),
        ("nats://127.0.0.1@one.internal", False),
        ("nats://10.0.0.1", False),
    ],
)
def test_an_event_stream_elsewhere_needs_tls(url: str, *, is_taken: bool) -> None:
    """Every server of the list is looked at."""
    problems = said("events_url", url)
    assert is_taken is (problems == [])
    assert is_taken or problems == [
        "name leads to another machine without TLS: write tls:// for nats://"
    ]
