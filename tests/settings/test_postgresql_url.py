"""URLs of PostgreSQL as providers print them: read as libpq does, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paraph.errors import ConfigurationError
from paraph.settings.postgresql_url import DEFAULT_HOSTS, parse_postgresql_url

_ENCODE = "is not a URL: percent-encode every @ : / ? # & % in its user and password"


def problems(url: str) -> tuple[str, ...]:
    """All problems of a URL."""
    with pytest.raises(ConfigurationError) as caught:
        parse_postgresql_url(url)
    return caught.value.problems


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("postgresql://u:p@db.example:6543/d", {"hosts": (("db.example", 6543),), "user": "u"}),
        ("postgres://u@db.example/d", {"hosts": (("db.example", 5432),), "database": "d"}),
        ("postgresql+asyncpg://u@h/d", {"hosts": (("h", 5432),), "password": None}),
        ("postgresql://u%40corp@h/d%2Fe", {"user": "u@corp", "database": "d/e"}),
        ("postgresql:///d", {"hosts": tuple((host, 5432) for host in DEFAULT_HOSTS)}),
        ("postgresql://", {"database": "", "user": ""}),
        ("postgresql:///d?host=/var/run/postgresql", {"hosts": (("/var/run/postgresql", 5432),)}),
        ("postgresql://%2Frun%2Fpg/d", {"hosts": (("/run/pg", 5432),)}),
        ("postgresql://u@/d?host=/tmp&port=5433", {"hosts": (("/tmp", 5433),)}),
        ("postgresql://h1:1,h2:2/d", {"hosts": (("h1", 1), ("h2", 2))}),
        ("postgresql://h1,h2/d?port=7", {"hosts": (("h1", 7), ("h2", 7))}),
        ("postgresql:///d?host=h1,h2&port=1,2", {"hosts": (("h1", 1), ("h2", 2))}),
        ("postgresql://[::1]:6432,[fd00::2]/d", {"hosts": (("::1", 6432), ("fd00::2", 5432))}),
        ("postgresql:///?user=a&dbname=b&host=h", {"user": "a", "database": "b"}),
        ("postgresql://h/d?sslmode=require", {"sslmode": "require", "root_certificates": ""}),
        ("postgresql://h/d?sslmode=verify-full", {"root_certificates": "system"}),
        ("postgresql://h/d?sslrootcert=system", {"sslmode": "verify-full"}),
        ("postgresql://h/d?connect_timeout=7", {"connect_timeout": 7, "pooler": None}),
        ("postgresql://h/d?application_name=my%20app", {"application_name": "my app"}),
        ("postgresql://h/d?options=endpoint%3Dep-1", {"options": "endpoint=ep-1"}),
        ("postgresql://h/d?pgbouncer=true", {"pooler": True}),
        ("postgresql://h/d?pgbouncer=false&supa=base-pooler.x", {"pooler": False}),
        ("postgresql://h/d?channel_binding=prefer&gssencmode=disable", {"database": "d"}),
        ("postgresql://h/d?target_session_attrs=read-write", {"database": "d"}),
    ],
)
def test_a_url_is_read_as_libpq_reads_it(
    url: str, meant: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Schemes, hosts, ports, sockets, percent-encoding and parameters."""
    monkeypatch.setenv("HOME", str(tmp_path))

    read = parse_postgresql_url(url)

    assert meant == {name: getattr(read, name) for name in meant}


def test_a_password_is_decoded_and_kept_secret() -> None:
    """Every character that has a meaning in a URL may stand in it, percent-encoded."""
    read = parse_postgresql_url("postgresql://u:%40%3A%2F%3F%23%26%25%20%C3%A9@h/d")

    assert read.password is not None
    assert "@:/?#&% é" == read.password.reveal()
    assert "é" not in repr(read)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("channel_binding=require", "channel_binding cannot be required"),
        ("sslmode=no-verify", "sslmode must be disable or allow or prefer or require or"),
        ("sslmode=", "sslmode must be"),
        ("sslmode=REQUIRE", "sslmode must be"),
        ("ssl=true", "ssl is not libpq's: write sslmode=verify-full"),
        ("sslmode=require&sslmode=disable", "gives sslmode twice: remove one"),
        ("sslmode=require&sslrootcert=system", "sslrootcert=system needs sslmode=verify-full"),
        ("sslmode=verify-ca", "sslmode=verify-ca needs sslrootcert=FILE"),
        ("sslrootcert=/nowhere/ca.pem", "sslrootcert names a file that cannot be read"),
        ("sslcert=/nowhere/c.pem", "sslcert names a file that cannot be read"),
        ("sslkey=/etc/hosts", "sslkey is set without sslcert"),
        ("sslnegotiation=direct", "sslnegotiation must be postgres"),
        ("ssl_min_protocol_version=TLSv1", "ssl_min_protocol_version must be TLSv1.2 or TLSv1.3"),
        ("connect_timeout=0", "connect_timeout must be a number of seconds from 1 to 600"),
        ("connect_timeout=ten", "connect_timeout must be a number of seconds"),
        ("gssencmode=require", "gssencmode must be disable or prefer"),
        ("target_session_attrs=standby", "target_session_attrs must be any, read-write or primary"),
        ("hostaddr=10.0.0.1", "hostaddr is not supported: write the address as the host"),
        ("service=far", "service is not supported"),
        ("require_auth=scram-sha-256", "require_auth cannot be enforced"),
        ("connection_limit=1", "connection_limit is not supported: remove it"),
        ("schema=public", "schema is not libpq's"),
        ("statement_timeout=5", "statement_timeout is not a supported parameter: remove it"),
        ("host=other", "names hosts before and in its query (host): remove one of them"),
        ("user=other", "gives user twice: remove one"),
        ("password=other", "gives password twice: remove one"),
        ("dbname=other", "gives dbname twice: remove one"),
        ("port=x", "has a port that is not a number"),
        ("sslmode", "has a query that is not NAME=VALUE&NAME=VALUE"),
    ],
)
def test_a_parameter_that_cannot_work_is_refused_by_name(
    query: str, problem: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The parameter and the remedy, never the password."""
    monkeypatch.setenv("HOME", str(tmp_path))

    (said,) = problems(f"postgresql://u:canary-pw@h/d?{query}")

    assert said.startswith(problem)
    assert "canary" not in said


def test_all_problems_are_reported_at_once() -> None:
    """One start is enough to learn everything that is wrong."""
    found = problems("postgresql://h/d?channel_binding=require&connect_timeout=x&ssl=1&what=1")

    assert ["channel_binding", "connect_timeout", "ssl", "what"] == [
        one.partition(" ")[0] for one in found
    ]


@pytest.mark.parametrize(
    "rest",
    [
        "u:canary@pw@h/d",
        "u:canary/pw@h/d",
        "u:canary?pw@h/d",
        "u:canary#pw@h/d",
        "u:canary%pw@h/d",
        "u:canary%zz@h/d",
        "u:canary%ff@h/d",
        "u:canary:pw@h:1:2/d",
        "canary:pw/d",
        "[canary/d",
        "h/d#canary",
        "h/d?user=canary@host",
        "h\n/canary",
    ],
)
def test_a_url_that_could_be_read_in_two_ways_is_refused(rest: str) -> None:
    """A password that was not percent-encoded is named as the likely cause, and not shown."""
    assert (_ENCODE,) == problems(f"postgresql://{rest}")


def test_a_zero_byte_is_refused() -> None:
    """The server would end the text there."""
    (said,) = problems("postgresql://u:p%00w@h/d")

    assert "zero byte" in said


def test_a_name_that_may_be_part_of_a_password_is_not_shown() -> None:
    """An & that was not percent-encoded in a password makes a parameter of its rest."""
    (said,) = problems("postgresql://h/d?password=first&canary=1")

    assert "canary" not in said
    assert "percent-encode &" in said


@pytest.mark.parametrize("scheme", ["mysql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_another_scheme_is_refused(scheme: str) -> None:
    """The schemes that are accepted are named."""
    (said,) = problems(f"{scheme}://h/d")

    assert said.startswith("must begin with postgresql://, postgres://")
