"""Reads settings as they are written in a file and in variables, before they are checked.

All problems are collected and reported together. No problem contains a value.
A value with quotes or spaces around it is a problem. A character that `docker --env-file` or a
copied line end adds to a secret would become part of every signature. The value is then used
without these characters, so that the rest of it is checked as well.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from paraph.errors import ConfigurationError, UsageError
from paraph.secret import Secret

# A file with one of these must not be readable by other users; URLs may hold a password.
_SECRET = frozenset(
    {
        *("client_secret", "webhook_secrets", "encryption_keys", "forward_secrets"),
        "key_service_token",
    }
)
# Texts shown to people: quotes in them may be intended.
_PROSE = frozenset({"app_name"})
_PASSWORD = re.compile(r"//[^/?#]*:[^/?#]*@|[?&](?:ssl)?password=")
_QUOTES = ('"', "'", "`", "\N{LEFT DOUBLE QUOTATION MARK}", "\N{LEFT SINGLE QUOTATION MARK}")
_CLOSING = {
    "\N{LEFT DOUBLE QUOTATION MARK}": "\N{RIGHT DOUBLE QUOTATION MARK}",
    "\N{LEFT SINGLE QUOTATION MARK}": "\N{RIGHT SINGLE QUOTATION MARK}",
}
_AROUND = " \t\r\n\f\v\0\N{ZERO WIDTH NO-BREAK SPACE}\N{NO-BREAK SPACE}\N{ZERO WIDTH SPACE}"
# Kubernetes sets such variables for a service of that name.
_PLATFORM = re.compile(r"_service_(?:host|port)|(?:^|_)port(?:_|$)")
_PREFIX = "paraph_"
# Accepted until the next minor version.
_FORMER_NAMES = {"fast_lane": "fast_path"}
# The value that pydantic demands, by the beginning of its name for the problem.
_BY_TYPE = {
    "bool_": "must be true or false",
    "int_": "must be a whole number, like 300",
    "string_type": 'must be text in quotes, like "text"',
    "list_type": 'must be a list, like ["first", "second"]',
    "timezone_aware": "must be a time with its zone, like 2026-12-01T12:00:00Z",
    "datetime_": "must be a time with its zone, like 2026-12-01T12:00:00Z",
    "string_too_long": "is too long: write at most 80 characters",
}

Found = tuple[dict[str, Any], list[str]]
"""Values by the names of settings, and problems."""


def read_file(path: Path) -> Found:
    """Read the values of a TOML file.

    Raises:
        ConfigurationError: the file cannot be read, or is not TOML.
    """
    try:
        with path.open("rb") as opened:
            # Checked on the open file: a moment later the name could mean another file.
            status = os.fstat(opened.fileno())
            values = parse_toml(opened.read())
    except OSError as error:
        raise ConfigurationError([f"{path} cannot be read: {error.strerror}"]) from None
    except ValueError as error:
        raise ConfigurationError([f"{path} is not TOML: {error}"]) from None
    problems = []
    if _holds_secrets(values) and (mode := _too_open(status)):
        problems.append(
            f"{path} holds secrets and can be read or changed by others (mode {mode:04o}): "
            f"run chmod 600 {path}"
        )
    return values, problems


def parse_toml(content: bytes) -> dict[str, Any]:
    """Parse a TOML document.

    A byte order mark is dropped: some editors write one.

    Raises:
        ValueError: it is not TOML, or nested too deeply; the message quotes no value.
    """
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except tomllib.TOMLDecodeError:
        raise
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None
    except ValueError:
        # Raised for an integer with thousands of digits.
        raise ValueError("a number in it is too long") from None


def read_variables(variables: Mapping[str, str | None], lists: Collection[str]) -> Found:
    """Read the values of variables.

    Args:
        variables: by their names in lower case, with `paraph_`; others are skipped.
        lists: the settings that are lists, written as JSON.
    """
    values: dict[str, Any] = {}
    problems = []
    for variable, text in variables.items():
        name = variable.removeprefix(_PREFIX)
        if name == variable or text is None:
            continue
        if name not in lists:
            values[name] = text
            continue
        found = _list_of(_unwrapped(text)[0])
        if found is None:
            shown = variable.upper()
            problems.append(
                f'{name}: {shown} is not a JSON list: write {shown}=["first","second"], '
                "within '…' in a shell"
            )
        else:
            if _unwrapped(text)[1]:
                problems.append(
                    f"{name}: {variable.upper()} has quotes or spaces around its list: remove them "
                    "(docker --env-file keeps quotes)"
                )
            values[name] = found
    return values, problems


def read_keywords(keywords: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Read the values of keyword arguments, in the types of a settings file.

    A text may be given as `Secret`, a list as any collection, a path as `Path`.

    Args:
        keywords: by the names of settings.
        known: the names of all settings.

    Raises:
        UsageError: a keyword is not a setting.
    """
    for name in keywords:
        if name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.6)
            meant = (
                f"Write {near[0]}." if near else "docs/reference/settings.md lists all settings."
            )
            raise UsageError(f"Zoom() has no keyword {name!r}", remedy=meant)
    return {name: _written(value) for name, value in keywords.items()}


def _written(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(map(_written, value))
    if isinstance(value, (list, tuple)):
        return [_written(one) for one in value]
    return value


def current_names(values: Mapping[str, Any], *, prefix: str = "") -> dict[str, Any]:
    """Replace former names of settings by the current ones; a current name wins.

    Args:
        values: by the names of settings.
        prefix: the beginning of every name.
    """
    renamed = {f"{prefix}{old}": f"{prefix}{new}" for old, new in _FORMER_NAMES.items()}
    current = {renamed[name]: value for name, value in values.items() if name in renamed}
    return current | {name: value for name, value in values.items() if name not in renamed}


def close_names(variables: Iterable[str], known: Collection[str]) -> list[str]:
    """Report variables that are nearly a setting: unreported, the setting would keep its default.

    A name that is far from every setting may belong to another program. For example, a container
    platform names the addresses of a service that is called paraph.
    """
    problems = []
    for variable in variables:
        name = variable.lower().removeprefix(_PREFIX)
        if name == variable.lower() or name in known or _PLATFORM.search(name):
            continue
        near = get_close_matches(name, known, n=1, cutoff=0.85)
        problems += [f"PARAPH_{name.upper()} is not a setting; is {one} meant?" for one in near]
    return problems


def exact_names(values: Mapping[str, Any], known: Collection[str]) -> Found:
    """Leave out names that are settings in another case, and report them as problems.

    pydantic would read such a name as the setting, after the checks that go by name.
    """
    wrong = [name for name in values if name not in known and name.lower() in known]
    return {name: value for name, value in values.items() if name not in wrong}, [
        f"{name}: this is not a setting; is {name.lower()} meant?" for name in wrong
    ]


def unwrap(values: Mapping[str, Any]) -> Found:
    """Remove quotes and spaces around the texts, and report them as problems."""
    problems: list[str] = []

    def plain(name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [plain(f"{name}[{place}]", one) for place, one in enumerate(value)]
        if not isinstance(value, str) or name in _PROSE:
            return value
        text, wrong = _unwrapped(value)
        problems.extend(f"{name} {what}" for what in wrong)
        return text

    return {name: plain(name, value) for name, value in values.items()}, problems


def _unwrapped(text: str) -> tuple[str, list[str]]:
    wrong = []
    plain = text.strip(_AROUND)
    if plain != text:
        wrong.append("holds spaces or a line end before or after its text: remove them")
    first = plain[:1]
    if len(plain) > 1 and first in _QUOTES and plain[-1] == _CLOSING.get(first, first):
        wrong.append("is in quotes: write it without them (docker --env-file keeps quotes)")
        plain = plain[1:-1].strip(_AROUND)
    elif plain[:1] in _QUOTES or plain[-1:] in {*_QUOTES, *_CLOSING.values()}:
        wrong.append("begins or ends with a quote: remove it")
        plain = plain.strip("".join((*_QUOTES, *_CLOSING.values())))
    return plain, wrong


def _list_of(text: str) -> list[Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _holds_secrets(values: Mapping[str, Any]) -> bool:
    if any(values.get(name) for name in _SECRET):
        return True
    urls = map(values.get, ("database_url", "events_url", "outgoing_proxy"))
    return any(isinstance(url, str) and _PASSWORD.search(url) for url in urls)


def _too_open(status: os.stat_result) -> int:
    """Return the mode of a file that others may read or change; 0 if only its owner may."""
    mode = stat.S_IMODE(status.st_mode)
    if os.name == "nt" or not stat.S_ISREG(status.st_mode):
        return 0
    allowed = 0o700
    if status.st_uid != os.geteuid() and status.st_gid in {os.getegid(), *os.getgroups()}:
        # Owned by root and read through the service's own group.
        allowed |= 0o040
    return mode if mode & 0o777 & ~allowed else 0


def type_problem(place: Sequence[int | str], kind: str, fields: Mapping[str, Any]) -> str:
    """Describe a value that a setting cannot have, in one line.

    Args:
        place: the setting, and the index in its list if it is a list.
        kind: pydantic's name of the problem.
        fields: every setting, by name, as pydantic knows it.
    """
    setting = str(place[0])
    name = setting + "".join(f"[{one}]" for one in place[1:])
    if kind == "extra_forbidden":
        near = get_close_matches(setting, fields, n=1, cutoff=0.7)
        meant = f"; is {near[0]} meant?" if near else ": remove it"
        return f"{name}: this is not a setting{meant}"
    if kind == "literal_error":
        words = " or ".join(f'"{one}"' for one in get_args(fields[setting].annotation))
        return f"{name}: must be {words}"
    if kind in {"greater_than_equal", "less_than_equal"}:
        bounds = [_bound(one) for one in fields[setting].metadata]
        return f"{name}: must be {' and '.join(one for one in bounds if one)}"
    known = next((words for start, words in _BY_TYPE.items() if kind.startswith(start)), "")
    return (
        f"{name}: {known or 'has another type than this setting: see docs/reference/settings.md'}"
    )


def _bound(limit: Any) -> str:
    if hasattr(limit, "ge"):
        return f"at least {limit.ge}"
    return f"at most {limit.le}" if hasattr(limit, "le") else ""
