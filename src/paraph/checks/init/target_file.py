"""The text of a target file, from the facts about an app."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# The port of the simulated Zoom that `paraph simulate` uses as well.
ZOOM_PORT = 8100
HOOK_KEY = "CHECK_HOOK_KEY"

_HOOK_LINES = (
    'links = {{ method = "GET", url = "{{url}}/_check/links", headers = {key} }}',
    'use = {{ url = "{{url}}/_check/use", headers = {key}, json = {whose} }}',
    'expire = {{ url = "{{url}}/_check/expire", headers = {key}, json = {whose} }}',
    "# An app that keeps its events, and one with accounts of its own beside Zoom's: fill in",
    "# these functions of the code too, and remove the mark of the comment.",
    '# events = {{ method = "GET", url = "{{url}}/_check/events", headers = {key} }}',
    '# sign_in = {{ url = "{{url}}/_check/sign-in", headers = {key}, form = {user} }}',
    '# sign_out = {{ url = "{{url}}/_check/sign-out", headers = {key}, form = {{}} }}',
)
_USER = '{ user = "{subject}" }'
_KNOWN = (
    "# The names of the app's own variables, with these values:",
    '# CLIENT_ID = "{client_id}"',
    '# CLIENT_SECRET = "{client_secret}"',
    '# WEBHOOK_SECRET = "{webhook_secret}"',
    '# REDIRECT_URI = "{redirect_uri}"',
)
_WHOSE = '{ subject = "{subject}", user_id = "{user_id}" }'


@dataclass(slots=True)
class Facts:
    """Facts about an app; empty values are unknown.

    Attributes:
        name: the name in reports.
        framework: the web framework, whose code the reports show.
        command: the command that starts it, with placeholders; empty for an app that runs already.
        environment: the environment of the command, with placeholders.
        more_variables: variables that its source reads as well, whose values are unknown.
        base: the URL of an app that runs already.
        start: the path that begins an installation.
        redirect: the path of the redirect URI.
        webhook: the path that receives webhooks.
        pages: paths of pages.
        client_id: the client id of an app that runs already.
        zoom_port: the port at which an app that runs already expects Zoom.
        knows_zoom_only: whether the app has Zoom's real address in its code.
        hook_key: the key of the test hooks; "" without test hooks.
        database_file: the database file of the command; "" if it is not known.
    """

    name: str = "my app"
    framework: str = ""
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    more_variables: Sequence[str] = ()
    base: str = ""
    start: str = ""
    redirect: str = ""
    webhook: str = ""
    pages: Sequence[str] = ()
    client_id: str = ""
    zoom_port: int = ZOOM_PORT
    knows_zoom_only: bool = False
    hook_key: str = ""
    database_file: str = ""


def target_text(facts: Facts) -> str:
    """Build a target file; it can be read by the check, and its comments name the next choices."""
    lines = [f"name = {_toml(facts.name)}"]
    lines += [f"framework = {_toml(facts.framework)}"] if facts.framework else []
    if facts.knows_zoom_only:
        lines += ["# The app has Zoom's address in its code: its process sees the simulator there."]
        lines += ["impersonate = true"]
    lines += ["", *_start(facts), "[urls]"]
    lines += [f"base = {_toml(facts.base)}"] if facts.base and not _must_start(facts) else []
    lines += [f"start = {_toml(facts.start or '/install')}"]
    lines += [f"redirect = {_toml(facts.redirect or '/oauth/callback')}"]
    lines += [f"webhook = {_toml(facts.webhook)}"] if facts.webhook else []
    lines += [f"pages = {_toml(list(facts.pages))}"] if facts.pages else []
    lines += [
        "",
        *_zoom(facts),
        "# Each hook makes more cases apply: docs/reference/check.md lists them.",
    ]
    stored = [f"database_file = {_toml(facts.database_file)}"] if facts.database_file else []
    return "\n".join([*lines, "[hooks]", *_hooks(facts.hook_key), *stored, ""])


def _must_start(facts: Facts) -> bool:
    """Return True if a running app can see the simulator only if the check starts it."""
    return facts.knows_zoom_only and not facts.command


def _start(facts: Facts) -> list[str]:
    if _must_start(facts):
        remark = "# The check starts the app. Write its command here, and pass {port} to it."
        return ["[start]", remark, "command = []", "", "[start.environment]", *_KNOWN, ""]
    if not facts.command:
        return []
    environment = dict(facts.environment)
    if facts.hook_key:
        environment[HOOK_KEY] = facts.hook_key
    lines = ["[start]", f"command = {_toml(list(facts.command))}"]
    lines += ["ready_within = 60"] if facts.framework == "django" else []
    lines += ["", "[start.environment]"]
    lines += [f"{name} = {_toml(value)}" for name, value in environment.items()]
    more = [name for name in facts.more_variables if name not in environment]
    if more:
        lines += ["# The source reads these variables too: give a value to those that it needs."]
        lines += [f'# {name} = ""' for name in more]
    return [*lines, ""]


def _zoom(facts: Facts) -> list[str]:
    if facts.command or _must_start(facts):
        return []
    return [
        "# The simulated Zoom that the app talks to; give the app the same values.",
        "[zoom]",
        f"port = {facts.zoom_port}",
        f"client_id = {_toml(facts.client_id)}",
        'client_secret = "the-same-as-in-the-app"',
        'webhook_secret = "the-same-as-in-the-app-2"',
        "",
    ]


def _hooks(key: str) -> list[str]:
    if not key:
        return ['# sign_in = { url = "{url}/login", form = { user = "{subject}" } }']
    headers = f"{{ x-check-key = {_toml(key)} }}"
    return [line.format(key=headers, whose=_WHOSE, user=_USER) for line in _HOOK_LINES]


def _toml(value: str | list[str]) -> str:
    # A JSON string or list of strings is one in TOML too.
    return json.dumps(value, ensure_ascii=False)
