"""Writes the first settings file of a service, with fresh keys."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from paraph.errors import ConfigurationError
from paraph.secret import Secret

_NOT_WRITTEN = "Give access there, or name another file."


@dataclass(frozen=True, slots=True)
class FirstSettings:
    """The values of a first settings file. Empty texts and lists are left out.

    Attributes:
        app_name, public_url, client_id, level, linking: settings of these names.
        client_secret, webhook_secret: from Zoom's form.
        encryption_key: a new one.
        required_scopes: the scopes that an installation must have.
        start_url, link_url: the host's pages, with `linking = "host"`.
        database_url: the default if empty.
        trusted_proxies: networks.
        security_contact: `mailto:…` or a URL.
        forward_url, forward_secret: where events are posted, and what signs them.
    """

    app_name: str
    public_url: str
    client_id: str
    client_secret: Secret
    webhook_secret: Secret
    encryption_key: Secret
    level: Literal["user", "account"] = "user"
    linking: Literal["none", "host"] = "none"
    required_scopes: Sequence[str] = ()
    start_url: str = ""
    link_url: str = ""
    database_url: str = ""
    trusted_proxies: Sequence[str] = ()
    security_contact: str = ""
    forward_url: str = ""
    forward_secret: Secret = field(default_factory=lambda: Secret(""))


def settings_text(first: FirstSettings) -> str:
    """Return the file's content: TOML, with a comment above each part. It holds secrets."""
    forwards = bool(first.forward_url)
    parts: list[tuple[str, dict[str, object]]] = [
        (
            "The app at Zoom: App Credentials, and the Secret Token of its event subscriptions.",
            {
                "client_id": first.client_id,
                "client_secret": first.client_secret.reveal(),
                "webhook_secrets": [first.webhook_secret.reveal()],
                "required_scopes": list(first.required_scopes),
                "level": first.level,
            },
        ),
        (
            "The URL that browsers and Zoom use, and the proxy that passes its requests on.",
            {
                "public_url": first.public_url,
                "trusted_proxies": list(first.trusted_proxies),
                "app_name": first.app_name,
                "security_contact": first.security_contact,
            },
        ),
        (
            'With "host", your signed-in user confirms both accounts.',
            {"linking": first.linking, "start_url": first.start_url, "link_url": first.link_url},
        ),
        (
            "Events are posted here, signed with this secret (Standard Webhooks).",
            {
                "forward_url": first.forward_url,
                "forward_secrets": [first.forward_secret.reveal()] if forwards else [],
            },
        ),
        (
            "Keep a copy of the encryption key elsewhere: without it no backup can be opened.",
            {
                "database_url": first.database_url,
                "encryption_keys": [first.encryption_key.reveal()],
            },
        ),
    ]
    blocks = []
    for comment, values in parts:
        # JSON's strings and lists are TOML's too.
        lines = [
            f"{name} = {json.dumps(value, ensure_ascii=False)}"
            for name, value in values.items()
            if value
        ]
        if lines:
            blocks.append("\n".join([f"# {comment}", *lines]))
    return "# Settings of paraph. This file holds secrets.\n\n" + "\n\n".join(blocks) + "\n"


def keep_copy(path: Path) -> Path:
    """Copy a settings file beside itself, readable by its owner alone; return the copy.

    No earlier copy is replaced: each may hold the only key of a database.

    Args:
        path: the file.

    Raises:
        ConfigurationError: it cannot be read or copied.
    """
    copies = (path.with_name(f"{path.name}.bak{number}") for number in ("", *range(2, 1000)))
    copy = next(one for one in copies if not one.exists())
    try:
        content = path.read_bytes()
        # Exclusive: a link that was put there meanwhile is not followed.
        handle = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
    except OSError as error:
        raise ConfigurationError(
            [f"{error.filename or path}: {error.strerror}"], remedy=_NOT_WRITTEN
        ) from None
    return copy


def write_private(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a file that only its owner may read, whole or not at all.

    Args:
        path: the file.
        text: its content.
        overwrite: replace an existing file.

    Raises:
        ConfigurationError: the file exists, or cannot be written.
    """
    try:
        # The mode of a temporary file is 0600 from the start.
        handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror}"], remedy=_NOT_WRITTEN) from None
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
        if overwrite:
            temporary.replace(path)
        else:
            # Unlike a rename, a link never replaces a file.
            path.hardlink_to(temporary)
    except FileExistsError:
        raise ConfigurationError(
            [f"{path} exists and was not changed"], remedy="Add --force to replace it."
        ) from None
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror}"], remedy=_NOT_WRITTEN) from None
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
