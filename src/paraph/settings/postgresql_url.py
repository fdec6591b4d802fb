"""The URL of a PostgreSQL server, in libpq's form and as hosting providers print it.

No other module reads such a URL, so the checked values are those that are connected to. A
parameter works as libpq documents it (PostgreSQL documentation, "Database Connection Control
Functions", section 32.1.2), or it is a problem that names the parameter and the remedy. No
problem shows a value: a password that was not percent-encoded may be anywhere in the URL.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from paraph.errors import ConfigurationError
from paraph.secret import Secret

SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
DEFAULT_PORT = 5432
# The usual places of sockets, then loopback. PGHOST is not read: a variable could send this
# service's passwords and tokens to another machine.
DEFAULT_HOSTS = ("/run/postgresql", "/var/run/postgresql", "/tmp", "localhost")  # noqa: S108 - libpq's.
SYSTEM = "system"

_VERIFYING = ("verify-ca", "verify-full")
_ENCODE = "is not a URL: percent-encode every @ : / ? # & % in its user and password"
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,62}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LONGEST_CONNECT = 600


@dataclass(frozen=True, slots=True)
class PostgresqlUrl:
    """A parsed URL. Parts that the URL leaves out are empty; times are in seconds."""

    hosts: tuple[tuple[str, int], ...]
    user: str
    password: Secret | None
    database: str
    sslmode: str
    # A file, "system", or "" if no certificate is verified.
    root_certificates: str
    sslcert: str = ""
    sslkey: str = ""
    sslpassword: Secret | None = None
    sslcrl: str = ""
    tls_versions: tuple[str, str] = ("", "")
    passfile: str = ""
    connect_timeout: int = 0
    application_name: str = ""
    options: str = ""
    # `pgbouncer=true`, as providers print it for their poolers. False: each connection has a
    # server of its own, whatever is in between. None: the URL does not say.
    pooler: bool | None = None


@dataclass(frozen=True, slots=True)
class _Rule:
    """The values that one parameter may have, and the remedy for any other one."""

    takes: Callable[[str], object]
    remedy: str


def is_postgresql(url: str) -> bool:
    """Return True if the URL's scheme is one of PostgreSQL's."""
    return url.partition("://")[0] in SCHEMES and "://" in url


def parse_postgresql_url(url: str) -> PostgresqlUrl:
    """Parse the URL of a PostgreSQL server.

    Args:
        url: `postgresql://user:password@host:port/database?parameter=value`; several hosts are
            separated by commas, a folder with a socket is given as `?host=/var/run/postgresql`.

    Raises:
        ConfigurationError: it names every problem by its parameter, without the value.
    """
    problems: list[str] = []
    netloc, path, query = _parts(url)
    given = _parameters(query, problems)
    # An unknown name may be the rest of a password that contains an &.
    hides_names = "password" in given or "sslpassword" in given
    userinfo, _, within = netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    for name, text in (
        ("user", _decoded(user)),
        ("password", _decoded(password)),
        ("dbname", _decoded(path.removeprefix("/"))),
    ):
        _place(given, name, text, problems)
    for name, value in given.items():
        rule = _RULES.get(name)
        if rule is None:
            problems.append(_unknown(name, hidden=hides_names))
        elif not rule.takes(value):
            problems.append(f"{name} {rule.remedy}")
    hosts = _hosts(within, given, problems)
    root = _root_certificates(given, problems)
    if "sslkey" in given and "sslcert" not in given:
        problems.append("sslkey is set without sslcert: add sslcert=FILE or remove sslkey")
    if problems:
        raise ConfigurationError(problems)
    return _assembled(hosts, given, root)


def _assembled(hosts: Sequence[tuple[str, int]], given: dict[str, str], root: str) -> PostgresqlUrl:
    def secret(name: str) -> Secret | None:
        return Secret(given[name]) if given.get(name) else None

    return PostgresqlUrl(
        hosts=tuple(hosts),
        user=given.get("user", ""),
        password=secret("password"),
        database=given.get("dbname", ""),
        sslmode=_mode(given),
        root_certificates=root,
        sslcert=given.get("sslcert", ""),
        sslkey=given.get("sslkey", ""),
        sslpassword=secret("sslpassword"),
        sslcrl=given.get("sslcrl", ""),
        tls_versions=(
            given.get("ssl_min_protocol_version", ""),
            given.get("ssl_max_protocol_version", ""),
        ),
        passfile=given.get("passfile", ""),
        connect_timeout=int(given.get("connect_timeout", "0")),
        application_name=given.get("application_name")
        or given.get("fallback_application_name", ""),
        options=given.get("options", ""),
        pooler={"true": True, "false": False}.get(given.get("pgbouncer", "")),
    )


def _parts(url: str) -> tuple[str, str, str]:
    """Split a URL into authority, path and query.

    Raises:
        ConfigurationError: other parsers could split it differently.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES:
        raise ConfigurationError([f"must begin with {', '.join(f'{one}://' for one in SCHEMES)}"])
    try:
        parts = urlsplit(f"postgresql://{rest}")
    except ValueError:
        raise ConfigurationError([_ENCODE]) from None
    misplaced = "@" in parts.path + parts.query or parts.netloc.count("@") > 1
    if misplaced or "#" in rest or _BAD_ESCAPE.search(rest) or not rest.isprintable():
        raise ConfigurationError([_ENCODE])
    return parts.netloc, parts.path, parts.query


def _decoded(text: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ConfigurationError([_ENCODE]) from None
    if "\0" in decoded:
        raise ConfigurationError(["holds a zero byte (%00), which PostgreSQL does not accept"])
    return decoded


def _parameters(query: str, problems: list[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        name, equals, value = pair.partition("=")
        if not equals or not _PARAMETER.fullmatch(name):
            problems.append("has a query that is not NAME=VALUE&NAME=VALUE: percent-encode values")
            continue
        _place(given, _ALIASES.get(name, name), _decoded(value), problems)
    return given


def _place(given: dict[str, str], name: str, value: str, problems: list[str]) -> None:
    """Add one parameter. A second value is a problem: libraries differ in which one they use."""
    if not value and name not in ("sslmode", "pgbouncer"):
        return
    if name in given:
        problems.append(f"gives {name if name in _RULES else 'a parameter'} twice: remove one")
        return
    given[name] = value


def _unknown(name: str, *, hidden: bool) -> str:
    if name in _REFUSED:
        return f"{name} {_REFUSED[name]}"
    if hidden:
        return "has a parameter that is not supported: remove it, or percent-encode & in values"
    return (
        f"{name} is not a supported parameter: remove it; a setting of the server is written as "
        "options=-c%20NAME%3DVALUE"
    )


def _hosts(within: str, given: dict[str, str], problems: list[str]) -> list[tuple[str, int]]:
    """Return every host with its port: one port for each host or one for all, as in libpq."""
    pairs = [_host_and_port(one) for one in within.split(",")] if within else []
    if any(pair is None for pair in pairs):
        raise ConfigurationError([_ENCODE])
    names = [pair[0] for pair in pairs if pair is not None]
    ports = [pair[1] for pair in pairs if pair is not None]
    if "host" in given:
        if any(names):
            problems.append("names hosts before and in its query (host): remove one of them")
        names = given["host"].split(",")
        ports = [text for text in ports if text]
    if "port" in given:
        if any(ports):
            problems.append("gives ports before and in its query (port): remove one of them")
        ports = given["port"].split(",")
    names = [name for name in names if name] or list(DEFAULT_HOSTS)
    if len(ports) <= 1:
        ports = (ports or [""]) * len(names)
    numbers = [_port(text) for text in ports]
    if len(numbers) != len(names) or None in numbers:
        problems.append("has a port that is not a number from 1 to 65535, or not one for each host")
        return []
    return [(name, number or DEFAULT_PORT) for name, number in zip(names, numbers, strict=True)]


def _host_and_port(text: str) -> tuple[str, str] | None:
    """Parse `host`, `host:port`, `[address]:port` or `:port`; None for anything else."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(?::([0-9]*))?", text)
    if match is None:
        return None
    return _decoded(match[1]).strip("[]"), match[2] or ""


def _port(text: str) -> int | None:
    if not text:
        return DEFAULT_PORT
    good = re.fullmatch(r"[0-9]{1,5}", text) and 0 < int(text) < 65536
    return int(text) if good else None


def _mode(given: dict[str, str]) -> str:
    """Return the sslmode; like libpq, default to a strict one with the system's authorities."""
    default = "verify-full" if given.get("sslrootcert") == SYSTEM else "prefer"
    return given.get("sslmode", default)


def _root_certificates(given: dict[str, str], problems: list[str]) -> str:
    """Return the authorities that a server's certificate is verified with.

    Like libpq, `require` verifies if there is a file of authorities. Unlike libpq, `verify-full`
    trusts the system's authorities if no file is named and the usual place has no file.
    """
    mode, named = _mode(given), given.get("sslrootcert", "")
    if named == SYSTEM and mode != "verify-full":
        problems.append("sslrootcert=system needs sslmode=verify-full: any other mode is weaker")
    if mode not in ("require", *_VERIFYING) or named:
        return named
    usual = Path("~/.postgresql/root.crt").expanduser()
    if usual.is_file():
        return str(usual)
    if mode == "verify-ca":
        problems.append(
            "sslmode=verify-ca needs sslrootcert=FILE, the certificate of the provider's authority"
        )
    return SYSTEM if mode == "verify-full" else ""


def _one_of(*values: str) -> _Rule:
    return _Rule(values.__contains__, f"must be {' or '.join(values)}")


def _is_file(value: str) -> bool:
    return Path(value).is_file() and os.access(value, os.R_OK)


_TEXT = _Rule(str.isprintable, "holds control characters: remove them")
_FILE = _Rule(_is_file, "names a file that cannot be read: give the path of a readable file")
_TLS = _one_of("TLSv1.2", "TLSv1.3")
# Other names of the same parameters.
_ALIASES = {"database": "dbname"}
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(
        ("user", "password", "dbname", "host", "port", "sslpassword", "application_name"), _TEXT
    ),
    **dict.fromkeys(("fallback_application_name", "options"), _TEXT),
    **dict.fromkeys(("sslcert", "sslkey", "sslcrl", "passfile"), _FILE),
    **dict.fromkeys(("ssl_min_protocol_version", "ssl_max_protocol_version"), _TLS),
    "sslrootcert": _Rule(lambda value: value == SYSTEM or _is_file(value), _FILE.remedy),
    "sslmode": _one_of("disable", "allow", "prefer", "require", *_VERIFYING),
    "sslnegotiation": _one_of("postgres"),
    "connect_timeout": _Rule(
        lambda value: re.fullmatch(r"[0-9]{1,3}", value) and 0 < int(value) <= _LONGEST_CONNECT,
        f"must be a number of seconds from 1 to {_LONGEST_CONNECT}",
    ),
    "pgbouncer": _one_of("true", "false"),
    "channel_binding": _Rule(
        ("disable", "prefer").__contains__,
        "cannot be required, because the driver does not bind channels: remove it and write "
        "sslmode=verify-full, which proves the server by its certificate",
    ),
    "gssencmode": _Rule(
        ("disable", "prefer").__contains__,
        "must be disable or prefer: the driver encrypts with TLS only, see sslmode",
    ),
    "target_session_attrs": _Rule(
        ("any", "read-write", "primary").__contains__,
        "must be any, read-write or primary: paraph writes, so it always chooses a host that "
        "can be written",
    ),
    "load_balance_hosts": _one_of("disable"),
    "client_encoding": _Rule(
        lambda value: value.lower() in ("utf8", "utf-8", "auto"), "must be UTF8 or auto"
    ),
    # A marker of Supabase's integrations, without meaning for the server.
    "supa": _TEXT,
}
_REFUSED = {
    "ssl": "is not libpq's: write sslmode=verify-full",
    "sslaccept": "is not libpq's: write sslmode=verify-full",
    "uselibpqcompat": "is not libpq's: remove it",
    "hostaddr": "is not supported: write the address as the host",
    "service": "is not supported: write host, user and database into the URL",
    "servicefile": "is not supported: write host, user and database into the URL",
    "require_auth": "cannot be enforced by the driver: remove it and write sslmode=verify-full",
    "requirepeer": "cannot be enforced by the driver: remove it",
    "connection_limit": "is not supported: remove it; docs/reference/where-it-runs.md says "
    "how many connections a replica holds",
    "pool_timeout": "is not supported: remove it; paraph waits 10 seconds for a connection",
    "schema": "is not libpq's: remove it; without a pooler write options=-c%20search_path%3DNAME",
    "statement_cache_size": "is not needed: remove it; a pooler is recognised by itself",
    "prepared_statement_cache_size": "is not needed: remove it; a pooler is recognised by itself",
}
