"""The settings that an explanation uses, read without validation.

They come from options, from `PARAPH_*` variables and from `paraph.toml`; the first source that has
a value is used. Values stay unchanged: quotes or spaces around a secret may be the cause.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import click

from paraph.errors import ConfigurationError
from paraph.settings.source import read_file, read_variables

_MOST_DIGITS = 15
_LISTS = ("webhook_secrets", "encryption_keys")
_TEXTS = (
    *("client_id", "client_secret", "public_url", "authorization_server", "level"),
    *("encryption_keys_file", "freshness_past", "freshness_future"),
)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return not text or bool(parts.scheme and parts.netloc)


class ExplainSettings:
    """Settings by name, exactly as written.

    Args:
        config: the settings file; the default is paraph.toml in the current folder, if it exists.

    Raises:
        ConfigurationError: the file cannot be read.
    """

    def __init__(self, config: Path | None) -> None:
        path = config or Path("paraph.toml")
        self._values: dict[str, Any] = {}
        if config is not None or path.exists():
            self._values, _ = read_file(path)
        variables = {name.lower(): text for name, text in os.environ.items()}
        known = {f"paraph_{name}" for name in (*_LISTS, *_TEXTS)}
        found, _ = read_variables(
            {name: text for name, text in variables.items() if name in known}, _LISTS
        )
        for name in _LISTS:
            text = variables.get(f"paraph_{name}", "")
            if text and name not in found:
                # A secret outside a JSON list: the service refuses it, this command does not.
                found[name] = [text]
        self._values |= found

    def text(self, name: str) -> str:
        """Return a setting that is text; "" if it is missing or not text."""
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """Return the texts of a setting that is a list; none if it is missing or no list."""
        value = self._values.get(name)
        return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []

    def number(self, name: str, default: int) -> int:
        """Return a setting that is a whole number; the default if it is missing or not a number."""
        value = self._values.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            return default
        text = value if isinstance(value, str) else f"{value:x}"
        # More digits than any timestamp has.
        is_number = len(text) <= _MOST_DIGITS and str(value).isdecimal()
        return int(value) if is_number else default

    def demand_urls(self, *names: str) -> None:
        """Require that these settings are URLs, if they are given.

        Raises:
            ConfigurationError: one of them cannot be read as a URL.
        """
        unreadable = [f"{name} is not a URL" for name in names if not _is_url(self.text(name))]
        if unreadable:
            raise ConfigurationError(unreadable)

    def level(self) -> Literal["user", "account"]:
        """Return the app's level; the default is user."""
        return "account" if self.text("level") == "account" else "user"

    def secrets(self, given: Sequence[str], name: str, what: str) -> list[str]:
        """Return secrets from options, else from the settings, else from a prompt.

        Args:
            given: the values of the option.
            name: the name of the setting.
            what: the kind of secret, for the prompt.

        Raises:
            ConfigurationError: no source has them, and there is no terminal for a prompt.
        """
        known = list(given) or self.texts(name) or [one for one in [self.text(name)] if one]
        if not known and sys.stdin.isatty():
            known = [str(click.prompt(f"{what} (not shown)", hide_input=True, err=True))]
        if not known:
            raise ConfigurationError(
                [f"{name} is missing"],
                remedy=f"Give --secret, PARAPH_{name.upper()} or a paraph.toml with {name}.",
            )
        return known
