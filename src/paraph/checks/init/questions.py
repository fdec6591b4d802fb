"""The questions of `paraph check init` without options."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from paraph.checks.init.running_app import read_app
from paraph.checks.init.target_file import Facts
from paraph.errors import ConfigurationError

Ask = Callable[[str, str], str]
_ENVIRONMENT = {
    "PORT": "{port}",
    "ZOOM_URL": "{zoom}",
    "ZOOM_CLIENT_ID": "{client_id}",
    "ZOOM_CLIENT_SECRET": "{client_secret}",
    "ZOOM_WEBHOOK_SECRET": "{webhook_secret}",
}


def ask_facts(ask: Ask) -> Facts:
    """Ask for the facts about an app; every question has a default that fits many apps.

    Args:
        ask: called with a question and its default; returns the answer.

    Raises:
        ConfigurationError: the running app that was named does not respond, or the command has an
            open quotation mark.
    """
    name = ask("What is the app called?", "my app")
    command = _words(ask("Which command starts it? (empty: it runs already)", ""))
    facts = Facts(environment=_ENVIRONMENT)
    if not command:
        facts = read_app(ask("Which URL does it run at?", "http://127.0.0.1:3000"))
        facts.knows_zoom_only = False
    facts.name, facts.command = name, command
    facts.start = ask("Which path begins an installation?", facts.start or "/install")
    facts.redirect = ask("Which path is the redirect URI?", facts.redirect or "/oauth/callback")
    facts.webhook = ask("Which path takes webhooks? (empty: none)", facts.webhook)
    if not command:
        facts.client_id = ask("Which client id was it given?", facts.client_id)
    return facts


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise ConfigurationError(
            [f"the command cannot be read: {str(error)[:1].lower()}{str(error)[1:]}"],
            remedy="Quote words as a shell expects it: each quotation mark needs a second one.",
        ) from None
