"""The target file: how an app is started, where its doors are, and which hooks it offers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from paraph.errors import ConfigurationError
from paraph.toml_text import parse_toml


class Hook(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request or a command; `{subject}`, `{seconds}`, `{url}` and the like are filled in.

    A request of the hooks `sign_in`, `sign_out`, `start` and `disconnect` is made in the browser
    that the case is about, every other one beside it. A command's standard output is its answer.
    """

    method: str = "POST"
    url: str = ""
    headers: dict[str, str] = {}
    form: dict[str, str] | None = None
    json: dict[str, str] | None = None
    command: list[str] = []


class Start(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How the app is started; without a command it runs already."""

    command: list[str] = []
    directory: str = "."
    environment: dict[str, str] = {}
    ready: str = "/"
    patience: float = 20.0


class Urls(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The app's doors, as paths below `base` or as whole URLs. Empty: there is none."""

    base: str = ""
    start: str = "/"
    redirect: str
    marketplace: str = ""
    webhook: str = ""
    plain: str = ""
    second_start: str = ""
    second_redirect: str = ""
    more_origins: list[str] = []
    pages: list[str] = []
    private_pages: list[str] = []


class Limits(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the app says about itself, in seconds."""

    freshness_past: int = 300
    freshness_future: int = 300
    state_lifetime: int = 600
    pending_lifetime: int = 600
    effect_within: float = 4.0
    recovery_within: float = 0.0
    server_names_client: bool = False
    hands_on_unknown_events: bool = False


class Hooks(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a case may ask the app for; each missing one makes some cases not applicable."""

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
    """The app started again with other settings.

    `level` is the level of its registration at Zoom, where the variant changes it.
    """

    base: str = ""
    level: Literal["", "user", "account"] = ""
    environment: dict[str, str] = {}
    command: list[str] = []


class Registration(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The app's registration at the simulated Zoom; empty values are made up."""

    port: int = 0
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
    """Everything that is known about an app."""

    name: str
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
        """Whether the check owns the app's process."""
        return bool(self.start.command)


def load_target(path: Path) -> Target:
    """Read a target file; every problem becomes one line."""
    try:
        target = msgspec.convert(parse_toml(path.read_bytes()), Target)
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror}"]) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigurationError(
            [f"{path}: {error}"], remedy="docs/check.md lists every name of a target file."
        ) from None
    problems = []
    if not target.is_started_here and not target.urls.base:
        problems.append(f"{path}: say how to start the app ([start] command) or urls.base")
    if not target.is_started_here and not target.zoom.port:
        problems.append(f"{path}: a running app needs [zoom] port, the one that it is set to")
    if problems:
        raise ConfigurationError(problems)
    return target


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values in place of `{name}`; other braces stay as they are."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text
