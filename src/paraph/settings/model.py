"""Settings: read once, all problems reported together, no service started with a weak one.

They are read from `PARAPH_*` variables and a TOML file; a variable wins. No setting turns a
check off, and plain http is accepted on loopback addresses only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from paraph.errors import ConfigurationError
from paraph.outgoing.route import DIRECT, OutgoingRoute
from paraph.outgoing.settings import check_route
from paraph.secret import Secret
from paraph.settings.keys import KeyService, KeySource, judge_keys, judge_service
from paraph.settings.source import close_names, exact_names, read_file, read_variables, unwrap
from paraph.settings.validation import Network, SettingJudge, is_loopback
from paraph.settings.value_types import type_problem
from paraph.settings.zoom_cloud import REGIONAL_API_SERVERS, default_api_servers, mixed_clouds
from paraph.settings.zoom_scopes import never_granted

__all__ = [
    "REGIONAL_API_SERVERS",
    "Settings",
    "is_loopback",
    "load_key_service",
    "load_settings",
]

DEFAULT_FILE = Path("paraph.toml")
# Read everything that the granted scopes allow, and write meetings and webinars.
DEFAULT_PROXY_ALLOW = (
    "GET /v2/**",
    "POST /v2/users/*/meetings",
    "POST /v2/users/*/webinars",
    "POST,PUT,PATCH,DELETE /v2/meetings/**",
    "POST,PUT,PATCH,DELETE /v2/webinars/**",
)
# A hundred years in seconds, so that a time minus any setting is still a valid time.
_LONGEST = 100 * 365 * 86400
# The service's own pages: a host's page at one of these URLs would cause a redirect loop.
_OWN_PATHS = frozenset({"/install", "/installed", "/marketplace", "/oauth/redirect", "/webhook"})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the service, checked and in their final types. Times in seconds."""

    client_id: str
    client_secret: Secret
    webhook_secrets: tuple[Secret, ...]
    public_url: str
    public_bind: tuple[str, int]
    private_bind: tuple[str, int]
    database_url: str
    events_url: str
    encryption_keys: tuple[Secret, ...]
    linking: Literal["none", "host"]
    start_url: str
    link_url: str
    required_scopes: frozenset[str]
    level: Literal["user", "account"]
    authorization_server: str
    api_servers: tuple[str, ...]
    proxy_allow: tuple[str, ...]
    forward_url: str
    forward_secrets: tuple[Secret, ...]
    trusted_proxies: tuple[Network, ...]
    freshness_past: int
    freshness_future: int
    event_retention: int
    app_name: str
    verify_zoom: str
    security_contact: str
    # The origin of the operator pages, unless operators reach them by loopback.
    operator_url: str = ""
    # The folder for removal receipts and marks of the audit chain, outside the database.
    receipts_folder: str = ""
    # Unwraps the wrapped keys of encryption_keys.
    key_service: KeyService | None = None
    webhook_rotation_until: int = 0
    event_timeout: int = 30
    event_order: Literal["none", "account"] = "none"
    fast_lane: bool = True
    dead_letter_retention: int = 30 * 86400
    # Host names of the private side, besides addresses and names without dots.
    private_hosts: tuple[str, ...] = ()
    # The proxy and certificate authorities of all connections that the service makes.
    outgoing: OutgoingRoute = DIRECT
    # Seconds for which a stopping service still answers.
    drain_seconds: int = 5

    @property
    def redirect_uri(self) -> str:
        """The redirection endpoint, from the configured URL, never from a request's headers."""
        return f"{self.public_url}/oauth/redirect"


class _Values(BaseSettings):
    """The values as written, before they are checked together."""

    model_config = SettingsConfigDict(
        env_prefix="PARAPH_", extra="forbid", hide_input_in_errors=True
    )

    client_id: str = ""
    client_secret: str = ""
    webhook_secrets: list[str] = Field(default_factory=list)
    public_url: str = ""
    public_bind: str = "127.0.0.1:8000"
    private_bind: str = "127.0.0.1:8001"
    database_url: str = "sqlite:///paraph.db"
    events_url: str = ""
    encryption_keys: list[str] = Field(default_factory=list)
    encryption_keys_file: str = ""
    key_service_url: str = ""
    key_service_mount: str = "transit"
    key_service_key: str = "paraph"
    key_service_token: str = ""
    key_service_token_file: str = ""
    key_service_ca_file: str = ""
    linking: Literal["none", "host"] = "host"
    start_url: str = ""
    link_url: str = ""
    required_scopes: list[str] = Field(default_factory=list)
    level: Literal["user", "account"] = "user"
    authorization_server: str = "https://zoom.us"
    api_servers: list[str] = Field(default_factory=list)
    proxy_allow: list[str] = Field(default_factory=lambda: list(DEFAULT_PROXY_ALLOW))
    forward_url: str = ""
    forward_secrets: list[str] = Field(default_factory=list)
    trusted_proxies: list[str] = Field(default_factory=list)
    freshness_past: int = Field(default=7200, ge=300, le=86400)
    freshness_future: int = Field(default=300, ge=0, le=3600)
    event_retention: int = Field(default=7 * 86400, ge=0, le=_LONGEST)
    dead_letter_retention: int = Field(default=30 * 86400, ge=0, le=_LONGEST)
    app_name: str = Field(default="this app", max_length=80)
    verify_zoom: str = ""
    security_contact: str = ""
    operator_url: str = ""
    receipts_folder: str = ""
    webhook_rotation_until: AwareDatetime | None = None
    event_timeout: int = Field(default=30, ge=1, le=900)
    event_order: Literal["none", "account"] = "none"
    fast_lane: bool = True
    private_hosts: list[str] = Field(default_factory=list)
    outgoing_proxy: str = ""
    outgoing_proxy_bypass: list[str] = Field(default_factory=list)
    ca_file: str = ""
    drain_seconds: int = Field(default=5, ge=0, le=600)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings passes all five by name.
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same.
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same.
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same.
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use only the values of `_load_values`, so that no other source is read."""
        return (init_settings,)


def load_settings(file: Path | None = None) -> Settings:
    """Read the environment and a TOML file, and check all settings.

    Args:
        file: the TOML file; by default `paraph.toml` in the working directory, if it exists.

    Raises:
        ConfigurationError: it names every problem; it holds no value of a secret.
    """
    return _judged(*_load_values(file))


def _load_values(file: Path | None) -> tuple[_Values, list[str]]:
    """Return the values, and the problems of their names and types; a bad value has its default."""
    path = file or DEFAULT_FILE
    given, problems = ({}, []) if file is None and not path.exists() else read_file(path)
    variables = EnvSettingsSource(_Values).env_vars
    fields = _Values.model_fields
    given, wrong = exact_names(given, fields)
    problems += wrong
    from_variables, wrong = read_variables(
        {name: text for name, text in variables.items() if name.removeprefix("paraph_") in fields},
        [name for name, field in fields.items() if field.annotation == list[str]],
    )
    problems += wrong + close_names(variables, fields)
    given, wrong = unwrap(given | from_variables)
    problems += wrong
    try:
        return _Values(**given), problems
    except ValidationError as error:
        problems += [type_problem(one["loc"], one["type"], fields) for one in error.errors()]
        bad = {str(one["loc"][0]) for one in error.errors()}
        return _Values(**{name: v for name, v in given.items() if name not in bad}), problems


def _judged(values: _Values, problems: list[str]) -> Settings:
    judge = SettingJudge()
    if not values.webhook_secrets:
        judge.problems.append("webhook_secrets is missing: give the app's secret token in a list")
    encryption_keys, weak_keys = judge_keys(_key_source(values))
    judge.problems += weak_keys
    outgoing = _outgoing(judge, values)
    host_linked = values.linking == "host"
    settings = Settings(
        client_id=judge.client_id(values.client_id),
        client_secret=judge.secret("client_secret", values.client_secret),
        webhook_secrets=judge.secrets("webhook_secrets", values.webhook_secrets),
        public_url=judge.url("public_url", values.public_url, origin_only=True),
        public_bind=judge.bind("public_bind", values.public_bind),
        private_bind=judge.bind("private_bind", values.private_bind),
        database_url=judge.database_url("database_url", values.database_url),
        events_url=judge.events_url("events_url", values.events_url),
        encryption_keys=encryption_keys,
        linking=values.linking,
        start_url=judge.url("start_url", values.start_url) if host_linked else "",
        link_url=judge.url("link_url", values.link_url) if host_linked else "",
        required_scopes=judge.scopes("required_scopes", values.required_scopes),
        level=values.level,
        authorization_server=judge.url(
            "authorization_server", values.authorization_server, origin_only=True
        ),
        api_servers=tuple(
            judge.url(f"api_servers[{n}]", server, origin_only=True)
            for n, server in enumerate(_api_servers(values))
        ),
        proxy_allow=tuple(judge.rule("proxy_allow", rule) for rule in values.proxy_allow),
        forward_url=judge.url("forward_url", values.forward_url) if values.forward_url else "",
        forward_secrets=judge.signing_secrets("forward_secrets", values.forward_secrets),
        trusted_proxies=judge.networks("trusted_proxies", values.trusted_proxies),
        freshness_past=values.freshness_past,
        freshness_future=values.freshness_future,
        event_retention=values.event_retention,
        dead_letter_retention=values.dead_letter_retention,
        app_name=judge.text("app_name", values.app_name),
        verify_zoom=judge.text("verify_zoom", values.verify_zoom),
        security_contact=judge.contact("security_contact", values.security_contact),
        operator_url=(
            judge.url("operator_url", values.operator_url, origin_only=True)
            if values.operator_url
            else ""
        ),
        receipts_folder=judge.text("receipts_folder", _receipts_folder(values)),
        key_service=_key_service(judge, values, outgoing),
        webhook_rotation_until=(
            0
            if values.webhook_rotation_until is None
            else int(values.webhook_rotation_until.timestamp())
        ),
        event_timeout=values.event_timeout,
        event_order=values.event_order,
        fast_lane=values.fast_lane,
        private_hosts=tuple(judge.host("private_hosts", name) for name in values.private_hosts),
        outgoing=outgoing,
        drain_seconds=values.drain_seconds,
    )
    if not settings.api_servers:
        judge.problems.append("api_servers is empty: no host would be allowed to see a token")
    judge.problems += mixed_clouds(settings.authorization_server, settings.api_servers)
    judge.problems += never_granted(settings.required_scopes, level=settings.level)
    judge.problems += _contradictions(settings, values) + _shared_secrets(values)
    # A value of a wrong type was left out above; do not report it as missing too.
    named = {problem.partition(":")[0].partition("[")[0] for problem in problems}
    missing = {f"{name} is missing" for name in named}
    problems += [one for one in judge.problems if one.partition(":")[0] not in missing]
    if problems:
        raise ConfigurationError(problems)
    return settings


def _api_servers(values: _Values) -> list[str]:
    """Return the given hosts, else those of the authorization server's cloud."""
    if "api_servers" in values.model_fields_set:
        return values.api_servers
    return list(default_api_servers(values.authorization_server))


def _contradictions(settings: Settings, values: _Values) -> list[str]:
    """List the problems of settings that are valid alone and not together."""
    problems = []
    if settings.forward_url and not settings.forward_secrets:
        problems.append("forward_secrets is missing: forwarded events are always signed")
    if settings.forward_secrets and not settings.forward_url:
        problems.append("forward_url is missing: without it forward_secrets has no effect")
    for name in ("start_url", "link_url"):
        value: str = getattr(values, name)
        if settings.linking == "none" and value:
            problems.append(f'{name} is set, and linking = "none" links nothing: remove one')
        origin, own = settings.public_url, {f"{settings.public_url}{one}" for one in _OWN_PATHS}
        if origin and value.partition("?")[0].rstrip("/") in own:
            problems.append(f"{name} is a page of the service itself; it must be one of the host")
    if settings.operator_url and settings.operator_url == settings.public_url:
        problems.append("operator_url is public_url: the operator pages are not for the public")
    if settings.public_bind == settings.private_bind and settings.public_bind[1]:
        problems.append("public_bind and private_bind must differ: the private side is not public")
    return problems


def _shared_secrets(values: _Values) -> list[str]:
    """List secrets with two roles: the holder in one role could act in the other."""
    lists = {
        name: list(value)
        for name in values.__class__.model_fields
        if isinstance(value := getattr(values, name), list)
    }
    problems = [
        f"{name}[{place}] repeats {name}[{entries.index(one)}]: remove it"
        for name, entries in lists.items()
        for place, one in enumerate(entries)
        if one and entries.index(one) < place
    ]
    roles = (
        {values.client_id},
        {values.client_secret},
        set(values.webhook_secrets),
        set(values.forward_secrets),
    )
    everything = [one for role in roles for one in role if one]
    if len(set(everything)) < len(everything):
        problems.append(
            "client_id, client_secret, webhook_secrets and forward_secrets must all differ: give "
            "each its own value"
        )
    return problems


def load_key_service(file: Path | None = None) -> KeyService | None:
    """Load only the key service, to create the first key before all settings exist.

    Raises:
        ConfigurationError: it names every problem.
    """
    judge = SettingJudge()
    values, problems = _load_values(file)
    service = _key_service(judge, values, _outgoing(judge, values))
    if problems + judge.problems:
        raise ConfigurationError(problems + judge.problems)
    return service


def _key_service(judge: SettingJudge, values: _Values, route: OutgoingRoute) -> KeyService | None:
    service, problems = judge_service(_key_source(values))
    judge.problems += problems
    if service is None:
        return None
    judge.url("key_service_url", values.key_service_url, origin_only=True)
    return replace(service, route=route)


def _outgoing(judge: SettingJudge, values: _Values) -> OutgoingRoute:
    route, problems = check_route(
        proxy=values.outgoing_proxy, bypass=values.outgoing_proxy_bypass, ca_file=values.ca_file
    )
    judge.problems += problems
    return route


def _key_source(values: _Values) -> KeySource:
    return KeySource(
        encryption_keys=values.encryption_keys,
        encryption_keys_file=values.encryption_keys_file,
        service_url=values.key_service_url,
        service_mount=values.key_service_mount,
        service_key=values.key_service_key,
        service_token=values.key_service_token,
        service_token_file=values.key_service_token_file,
        service_ca_file=values.key_service_ca_file,
    )


def _receipts_folder(values: _Values) -> str:
    """Return the folder; by default beside an SQLite file, and no folder with PostgreSQL."""
    if values.receipts_folder or not values.database_url.startswith("sqlite:///"):
        return values.receipts_folder
    return f"{values.database_url.removeprefix('sqlite:///')}-receipts"
