"""Reads encryption keys from the settings or a file, in clear or wrapped by a key service.

A key in clear is `ID:BASE64`. One that a key service has wrapped is `ID:vault:v1:…`, and is
useless without that service. One list may hold both, so that changing to a key service is an
ordinary rotation.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paraph.outgoing.route import DIRECT, OutgoingRoute
from paraph.sealing.encryption_key import parse_encryption_key
from paraph.secret import Secret

_WRAPPED = re.compile(r"[A-Za-z0-9_-]{1,32}:vault:v[0-9]+:[A-Za-z0-9+/=]{16,4096}")
# The fewest different bytes of a key: of 32 random bytes about thirty differ.
_MINIMUM_VARIETY = 16
_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class KeyService:
    """A Vault or OpenBao, and its key that wraps paraph's keys.

    Attributes:
        url: the origin of the service.
        mount: the path of the transit engine.
        key: the name of the wrapping key.
        token: authenticates paraph to the service.
        ca_file: the path of its certificate authorities, or "".
        route: the proxy and the certificate authorities of the settings.
    """

    url: str
    mount: str
    key: str
    token: Secret
    ca_file: str
    route: OutgoingRoute = DIRECT


def is_wrapped(value: str) -> bool:
    """Return True if a value of `encryption_keys` must be unwrapped by a key service."""
    return _WRAPPED.fullmatch(value) is not None


def read_private_lines(name: str, file: str) -> tuple[list[str], list[str]]:
    """Return the lines of a file that only its owner can read, and the file's problems.

    Args:
        name: the name of the setting, for the problems.
        file: the path. Empty lines and lines that begin with # are left out.
    """
    try:
        with Path(file).open(encoding="utf-8-sig") as opened:
            # Checked on the open file: a moment later the name could mean another file.
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            if mode & 0o077:
                return [], [
                    f"{name}: {file} can be read by others (mode {mode:04o}): run chmod 600 {file}"
                ]
            lines = [line.strip() for line in opened.read().splitlines()]
    except OSError as error:
        return [], [f"{name}: {file} cannot be read: {error.strerror}"]
    except UnicodeDecodeError:
        return [], [f"{name}: {file} is not a text file"]
    except ValueError:
        return [], [f"{name} holds a zero byte: remove it"]
    found = [line for line in lines if line and not line.startswith("#")]
    return found, [] if found else [f"{name}: {file} is empty"]


@dataclass(frozen=True, slots=True)
class KeySource:
    """The key settings as they were written."""

    encryption_keys: Sequence[str]
    encryption_keys_file: str
    service_url: str
    service_mount: str
    service_key: str
    service_token: str
    service_token_file: str
    service_ca_file: str


def check_keys(source: KeySource) -> tuple[tuple[Secret, ...], list[str]]:
    """Return the keys, newest first, and all problems."""
    values, problems = list(source.encryption_keys), []
    if source.encryption_keys_file and values:
        problems.append("give encryption_keys or encryption_keys_file, not both")
    elif source.encryption_keys_file:
        values, problems = read_private_lines("encryption_keys_file", source.encryption_keys_file)
    if values or not source.encryption_keys_file:
        problems += key_problems("encryption_keys", values, may_be_wrapped=True)
    if any(map(is_wrapped, values)) and not source.service_url:
        problems.append("encryption_keys holds a wrapped key, and key_service_url is missing")
    return tuple(map(Secret, values)), problems


def key_problems(name: str, values: Sequence[str], *, may_be_wrapped: bool = False) -> list[str]:
    """List the problems of a list of keys, newest first. No value is repeated.

    Args:
        name: the name of the setting.
        values: its keys.
        may_be_wrapped: true if a key service may have wrapped a key.
    """
    if not values:
        return [f"{name} is missing: make one with `paraph keys new`"]
    problems = [
        f"{name}[{place}] is not what `paraph keys new` prints"
        for place, value in enumerate(values)
        if not (_is_key(value) or (may_be_wrapped and is_wrapped(value)))
    ]
    ids = [value.partition(":")[0] for value in values]
    problems += [
        f"{name}[{place}] repeats the key id of {name}[{ids.index(key_id)}]: "
        "make another key with `paraph keys new`"
        for place, key_id in enumerate(ids)
        if values[ids.index(key_id)] != values[place]
    ]
    return problems


def _is_key(value: str) -> bool:
    try:
        _, key = parse_encryption_key(value)
    except ValueError:
        return False
    return len(set(key)) >= _MINIMUM_VARIETY


def check_service(source: KeySource) -> tuple[KeyService | None, list[str]]:
    """Return the key service, if there is one, and all problems except its URL's."""
    if not source.service_url:
        return None, []
    problems = []
    token = source.service_token
    if bool(token) == bool(source.service_token_file):
        problems.append("give key_service_token or key_service_token_file, one of the two")
    elif source.service_token_file:
        lines, problems = read_private_lines("key_service_token_file", source.service_token_file)
        token = lines[0] if lines else ""
    if not token.isascii() or not token.isprintable():
        problems.append("the key service's token contains characters that no header may contain")
    for name, value in (("mount", source.service_mount), ("key", source.service_key)):
        if not _NAME.fullmatch(value):
            problems.append(f"key_service_{name} must be a name of letters, digits, . _ -")
    if source.service_ca_file and not Path(source.service_ca_file).is_file():
        problems.append("key_service_ca_file does not name a file")
    service = KeyService(
        url=source.service_url.rstrip("/"),
        mount=source.service_mount,
        key=source.service_key,
        token=Secret(token),
        ca_file=source.service_ca_file,
    )
    return service, problems
