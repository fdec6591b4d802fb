"""The target file: the command that starts an app, the app's URLs, and its hooks."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from paraph.checks.advice import Framework
from paraph.errors import ConfigurationError
from paraph.settings.source import parse_toml


class Hook(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request or a command; placeholders such as `{subject}` and `{seconds}` are filled in.

    The requests of the hooks `sign_in`, `sign_out`, `start` and `disconnect` are sent in the
    browser of the case, all others outside it. The standard output of a command is its response.
    """

    method: str = "POST"
    url: str = ""
    headers: dict[str, str] = {}
    form: dict[str, str] | None = None
    json: dict[str, str] | None = None
    command: list[str] = []


class Start(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The command that starts the app; without one the app must be running already.

    The app is ready when it responds to `GET ready` with any status but 503, within `ready_within`
    seconds.
    """

    command: list[str] = []
    directory: str = "."
    environment: dict[str, str] = {}
    ready: str = "/"
    ready_within: float = 12.0


class Urls(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The app's URLs, as paths below `base` or as complete URLs. Empty: the app has no such URL."""

    base: str = ""
    start: str = "/"
    redirect: str = ""
    marketplace: str = ""
    webhook: str = ""
    plain: str = ""
    second_start: str = ""
    second_redirect: str = ""
    more_origins: list[str] = []
    pages: list[str] = []
    private_pages: list[str] = []


class Limits(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The limits that the app states; times are in seconds."""

    freshness_past: int = 300
    freshness_future: int = 300
    state_lifetime: int = 600
    pending_lifetime: int = 600
    effect_within: float = 4.0
    recovery_within: float = 0.0
    server_names_client: bool = False
    forwards_unknown_events: bool = False


class Hooks(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The hooks of the app. Some cases are not applicable without a certain hook."""

    sign_in: Hook | None = None
    sign_out: Hook | None = None
    disconnect: Hook | None = None
    use: Hook | None = None
    links: Hook | None = None
    expire: Hook | None = None
    events: Hook | None = None
    advance: Hook | None = None
    pending: Hook | None = None
    rotate: Hook | None = None
    stored: Hook | None = None
    cells: Hook | None = None
    log_file: str = ""
    database_file: str = ""
    sealed_columns: list[str] = []


class Variant(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Settings to start the app again with.

    `level` is the level of its registration at Zoom, if the variant changes it.
    """

    base: str = ""
    level: Literal["", "user", "account"] = ""
    environment: dict[str, str] = {}
    command: list[str] = []


class Registration(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The app's registration at the simulated Zoom; values are generated for empty fields."""

    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    client_id: str = ""
    client_secret: str = ""
    webhook_secret: str = ""
    redirect_uri: str = ""
    scopes: list[str] = msgspec.field(
        default_factory=lambda: ["user:read:user", "meeting:read:meeting"]
    )
    required_scope: str = "user:read:user"
    level: Literal["user", "account"] = "user"


class Target(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The content of a target file.

    Reports show the code of a fix for `framework`; without it for every framework.
    """

    name: str
    framework: Framework | Literal[""] = ""
    profile: Literal["web", "embedded"] = "web"
    start: Start = msgspec.field(default_factory=Start)
    urls: Urls
    limits: Limits = msgspec.field(default_factory=Limits)
    hooks: Hooks = msgspec.field(default_factory=Hooks)
    zoom: Registration = msgspec.field(default_factory=Registration)
    variants: dict[str, Variant] = {}
    ownership_token: str = ""
    impersonate: bool = False
    subjects: list[str] = []

    @property
    def is_started_here(self) -> bool:
        """True if the check starts the app's process."""
        return bool(self.start.command)


# Old names of settings, which target files may use for one more version.
_RENAMED = (
    ("start", "patience", "ready_within"),
    ("limits", "hands_on_unknown_events", "forwards_unknown_events"),
)


def load_target(path: Path) -> Target:
    """Read a target file; old names of settings are accepted with a note on standard error.

    Raises:
        ConfigurationError: lists every problem of the file.
    """
    try:
        content = parse_toml(path.read_bytes())
        for table, old, new in _RENAMED:
            settings = content.get(table)
            if isinstance(settings, dict) and old in settings:
                settings.setdefault(new, settings.pop(old))
                sys.stderr.write(f"{path}: [{table}] {old} is now called {new}; rename it.\n")
        target = msgspec.convert(content, Target)
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror}"]) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigurationError(
            [f"{path}: {error}"],
            remedy="docs/reference/check.md lists every name of a target file.",
        ) from None
    problems = []
    if not target.urls.redirect and not target.urls.webhook:
        problems.append(f"{path}: name urls.redirect, urls.webhook or both")
    if not target.is_started_here and not target.urls.base:
        problems.append(f"{path}: say how to start the app ([start] command) or urls.base")
    if not target.is_started_here and not target.zoom.port:
        problems.append(f"{path}: a running app needs [zoom] port, the one that it is set to")
    if problems:
        raise ConfigurationError(problems)
    return target


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace each `{name}` by its value; other braces are kept."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text
