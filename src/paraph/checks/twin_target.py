"""The twin as a target with every hook and every variant."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from paraph.checks.target import Hook, Hooks, Limits, Start, Target, Urls, Variant

_KEY = os.urandom(12).hex()
_OLD, _NEW = "twin-key-of-yesterday", "twin-key-of-today"


def _hook(name: str, *fields: str) -> Hook:
    return Hook(
        url="{url}/_hooks/" + name,
        headers={"x-hook-key": _KEY},
        json={one: "{" + one + "}" for one in fields},
    )


def twin_target() -> Target:
    """Return a target with every hook and variant that cases use."""
    return Target(
        name="the twin",
        start=Start(
            command=[sys.executable, "-m", "paraph.checks.twin"],
            environment={
                "TWIN_ZOOM": "{zoom}",
                "TWIN_CLIENT_ID": "{client_id}",
                "TWIN_CLIENT_SECRET": "{client_secret}",
                "TWIN_WEBHOOK_SECRET": "{webhook_secret}",
                "TWIN_REDIRECT_URI": "{redirect_uri}",
                "TWIN_FOLDER": "{folder}",
                "TWIN_PORT": "{port}",
                "TWIN_HOOK_KEY": _KEY,
                "TWIN_KEYS": _OLD,
            },
            # Many twins may start beside each other.
            ready_within=60,
        ),
        urls=Urls(
            start="/connect",
            redirect="/redirect",
            marketplace="/marketplace",
            webhook="/webhook",
            plain="http://127.0.0.1:{port2}",
            second_start="/connect?server=second",
            second_redirect="/redirect/second",
            pages=["/account", "/connect", "/sign-in"],
            private_pages=["/admin"],
        ),
        limits=Limits(server_names_client=True),
        hooks=Hooks(
            sign_in=Hook(url="{url}/sign-in", form={"user": "{subject}"}),
            sign_out=Hook(url="{url}/sign-out", form={}),
            disconnect=Hook(method="GET", url="{url}/account"),
            use=_hook("use", "subject"),
            links=_hook("links"),
            expire=_hook("expire", "subject"),
            events=_hook("events"),
            advance=_hook("advance", "seconds"),
            pending=_hook("pending"),
            log_file="{folder}/twin.log",
            database_file="{folder}/twin.db",
            sealed_columns=["links.access", "links.refresh"],
        ),
        variants={
            "pending": Variant(environment={"TWIN_MODE": "pending"}),
            "issuer": Variant(environment={"TWIN_ISSUER_REQUIRED": "1"}),
            "two_registrations": Variant(environment={"TWIN_SECOND_SERVER": "{trap}"}),
            "tls_zoom": Variant(environment={"TWIN_CA_FILE": "{ca_file}"}),
            "no_webhook_secret": Variant(environment={"TWIN_WEBHOOK_SECRET": ""}),
            "account": Variant(level="account", environment={"TWIN_LEVEL": "account"}),
            "behind_proxies": Variant(environment={"TWIN_BEHIND_PROXIES": "1"}),
            "key_added": Variant(environment={"TWIN_KEYS": f"{_NEW},{_OLD}"}),
            "key_retired": Variant(environment={"TWIN_KEYS": _NEW}),
            "tls": Variant(
                base="https://127.0.0.1:{port}",
                environment={
                    "TWIN_CERTIFICATE": "{certificate}",
                    "TWIN_CERTIFICATE_KEY": "{certificate_key}",
                    "TWIN_PLAIN_PORT": "{port2}",
                },
            ),
        },
    )


def weakened(switches: Sequence[str]) -> Variant:
    """Return a variant of the twin with these switches on."""
    return Variant(environment={"TWIN_WEAK": ",".join(switches)})
