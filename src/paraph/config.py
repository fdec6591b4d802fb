"""Settings: read once, every problem reported at once, nothing started with a weak one.

From `PARAPH_*` variables and a TOML file; a variable wins. There is no setting that turns a
check off, and plain http is accepted on loopback addresses only.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import AwareDatetime, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from paraph.errors import ConfigurationError
from paraph.key_settings import KeyService, KeySource, judge_keys, judge_service
from paraph.secret import Secret

DEFAULT_FILE = Path("paraph.toml")
MINIMUM_SECRET_LENGTH = 12
REGIONAL_API_SERVERS = tuple(
    f"https://api{region}.zoom.us"
    for region in ("", "-au", "-ca", "-eu", "-in", "-sa", "-sg", "-uk", "-us")
)
# Reading everything that the granted scopes allow, and writing meetings and webinars.
DEFAULT_PROXY_ALLOW = (
    "GET /v2/**",
    "POST /v2/users/*/meetings",
    "POST /v2/users/*/webinars",
    "POST,PUT,PATCH,DELETE /v2/meetings/**",
    "POST,PUT,PATCH,DELETE /v2/webinars/**",
)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_METHOD = "(?:GET|POST|PUT|PATCH|DELETE)"
_PROXY_RULE = re.compile(
    rf"(?:\*|{_METHOD}(?:,{_METHOD})*) /v2/(?:[A-Za-z0-9_.-]+/|\*/)*(?:[A-Za-z0-9_.-]+|\*\*?)"
)
_PLACEHOLDER = re.compile(
    r"change.?me|your[-_ ]|placeholder|example|password|^secret|xxxx|123456789|^<|>$|todo|replace",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the service was told, judged and in its final types. Times in seconds."""

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
    # Where removal receipts and marks of the audit chain are written, outside the database.
    receipts_folder: str = ""
    # What unwraps those of encryption_keys that are wrapped.
    key_service: KeyService | None = None
    webhook_rotation_until: int = 0
    event_timeout: int = 30
    event_order: Literal["none", "account"] = "none"

    @property
    def redirect_uri(self) -> str:
        """The redirection endpoint, from the configured URL, never from a request's headers."""
        return f"{self.public_url}/oauth/redirect"


class _Values(BaseSettings):
    """The values as written, before they are judged together."""

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
    api_servers: list[str] = Field(default_factory=lambda: list(REGIONAL_API_SERVERS))
    proxy_allow: list[str] = Field(default_factory=lambda: list(DEFAULT_PROXY_ALLOW))
    forward_url: str = ""
    forward_secrets: list[str] = Field(default_factory=list)
    trusted_proxies: list[str] = Field(default_factory=list)
    freshness_past: int = Field(default=7200, ge=300, le=86400)
    freshness_future: int = Field(default=300, ge=0, le=3600)
    event_retention: int = Field(default=7 * 86400, ge=0)
    app_name: str = Field(default="this app", max_length=80)
    verify_zoom: str = ""
    security_contact: str = ""
    receipts_folder: str = ""
    webhook_rotation_until: AwareDatetime | None = None
    event_timeout: int = Field(default=30, ge=1, le=900)
    event_order: Literal["none", "account"] = "none"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings passes all five by name.
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same.
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same.
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file, whose values arrive as arguments."""
        return env_settings, init_settings


class _Judge:
    """Collects problems, so that all of them are reported at once."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def secret(self, name: str, value: str) -> Secret:
        """Long enough, and nobody's example."""
        if not value:
            self.problems.append(f"{name} is missing")
        elif len(value) < MINIMUM_SECRET_LENGTH:
            self.problems.append(f"{name} is shorter than {MINIMUM_SECRET_LENGTH} characters")
        elif _PLACEHOLDER.search(value) or len(set(value)) < 5:
            self.problems.append(f"{name} looks like a placeholder")
        elif not value.isascii() or any(c.isspace() or not c.isprintable() for c in value):
            self.problems.append(f"{name} holds spaces, line ends or non-ASCII characters")
        return Secret(value)

    def secrets(self, name: str, values: Sequence[str]) -> tuple[Secret, ...]:
        """A ring, newest first."""
        return tuple(self.secret(f"{name}[{n}]", value) for n, value in enumerate(values))

    def url(self, name: str, value: str, *, origin_only: bool = False) -> str:
        """Absolute, https or on loopback, without credentials or fragment."""
        if not value:
            self.problems.append(f"{name} is missing")
            return value
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            self.problems.append(f"{name} is not a URL")
            return value
        if parts.scheme not in {"http", "https"} or not host or not value.isascii():
            self.problems.append(f"{name} is not an absolute http or https URL")
        elif parts.scheme == "http" and not is_loopback(host):
            self.problems.append(f"{name} is plain http; only loopback addresses may be")
        elif parts.username is not None or parts.password is not None or parts.fragment:
            self.problems.append(f"{name} must hold no credentials and no fragment")
        elif origin_only and (parts.path not in {"", "/"} or parts.query):
            self.problems.append(f"{name} must be an origin like https://zoom.app.example")
        elif host != parts.netloc.rsplit("@")[-1].partition(":")[0] and "[" not in parts.netloc:
            self.problems.append(f"{name} must be in lower case, as browsers send it")
        return value.rstrip("/") if origin_only else value

    def bind(self, name: str, value: str) -> tuple[str, int]:
        """HOST:PORT; port 0 picks a free one."""
        host, colon, port = value.rpartition(":")
        if not (colon and host and re.fullmatch(r"[0-9]{1,5}", port) and int(port) < 65536):
            self.problems.append(f"{name} must be HOST:PORT, like 127.0.0.1:8001")
            return "127.0.0.1", 0
        return host.strip("[]"), int(port)

    def rule(self, name: str, value: str) -> str:
        """METHODS /v2/path, where `*` is one segment and a final `**` any number."""
        if not _PROXY_RULE.fullmatch(value):
            self.problems.append(f"{name}: {value!r} is no rule; write GET,POST /v2/path/* or **")
        return value

    def network(self, name: str, value: str) -> Network:
        """An address or a network in CIDR form."""
        try:
            network = ipaddress.ip_network(value)
        except ValueError:
            self.problems.append(f"{name} is no network: write 10.0.0.0/8 or an address")
            return ipaddress.ip_network("192.0.2.0/32")
        if network.prefixlen == 0:
            self.problems.append(f"{name} is everybody: name the networks of your own proxies")
        return network


def is_loopback(host: str) -> bool:
    """Whether a URL's host can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_settings(file: Path | None = None) -> Settings:
    """Read the environment and a TOML file, and judge all of it.

    Args:
        file: the TOML file; `paraph.toml` in the working directory, if there is one, by default.

    Raises:
        ConfigurationError: with every problem found; no value of a secret is in it.
    """
    return _judged(_load_values(file))


def _load_values(file: Path | None) -> _Values:
    try:
        return _Values(**_read(file))
    except ValidationError as error:
        raise ConfigurationError(
            [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        ) from None
    except ValueError as error:
        # A list in the environment that is no JSON; the source's own words hold the name only.
        raise ConfigurationError([f"{error} (lists are written as JSON)"]) from None


def _read(file: Path | None) -> dict[str, Any]:
    path = file or DEFAULT_FILE
    if file is None and not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path} cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path} is no TOML: {error}"]) from None


def _judged(values: _Values) -> Settings:
    judge = _Judge()
    if not values.client_id:
        judge.problems.append("client_id is missing")
    if not values.webhook_secrets:
        judge.problems.append("webhook_secrets is missing: give the app's secret token in a list")
    encryption_keys, problems = judge_keys(_key_source(values))
    judge.problems += problems
    host_linked = values.linking == "host"
    settings = Settings(
        client_id=values.client_id,
        client_secret=judge.secret("client_secret", values.client_secret),
        webhook_secrets=judge.secrets("webhook_secrets", values.webhook_secrets),
        public_url=judge.url("public_url", values.public_url, origin_only=True),
        public_bind=judge.bind("public_bind", values.public_bind),
        private_bind=judge.bind("private_bind", values.private_bind),
        database_url=_database_url(judge, values.database_url),
        events_url=_events_url(judge, values.events_url),
        encryption_keys=encryption_keys,
        linking=values.linking,
        start_url=judge.url("start_url", values.start_url) if host_linked else "",
        link_url=judge.url("link_url", values.link_url) if host_linked else "",
        required_scopes=frozenset(values.required_scopes),
        level=values.level,
        authorization_server=judge.url(
            "authorization_server", values.authorization_server, origin_only=True
        ),
        api_servers=tuple(
            judge.url(f"api_servers[{n}]", server, origin_only=True)
            for n, server in enumerate(values.api_servers)
        ),
        proxy_allow=tuple(judge.rule("proxy_allow", rule) for rule in values.proxy_allow),
        forward_url=judge.url("forward_url", values.forward_url) if values.forward_url else "",
        forward_secrets=judge.secrets("forward_secrets", values.forward_secrets),
        trusted_proxies=tuple(
            judge.network(f"trusted_proxies[{n}]", proxy)
            for n, proxy in enumerate(values.trusted_proxies)
        ),
        freshness_past=values.freshness_past,
        freshness_future=values.freshness_future,
        event_retention=values.event_retention,
        app_name=values.app_name,
        verify_zoom=values.verify_zoom,
        security_contact=values.security_contact,
        receipts_folder=_receipts_folder(values),
        key_service=_key_service(judge, values),
        webhook_rotation_until=(
            0
            if values.webhook_rotation_until is None
            else int(values.webhook_rotation_until.timestamp())
        ),
        event_timeout=values.event_timeout,
        event_order=values.event_order,
    )
    if not settings.api_servers:
        judge.problems.append("api_servers is empty: no host would be allowed to see a token")
    if settings.forward_url and not settings.forward_secrets:
        judge.problems.append("forward_secrets is missing: forwarded events are always signed")
    judge.problems.extend(_shared_secrets(values))
    if judge.problems:
        raise ConfigurationError(judge.problems)
    return settings


def _shared_secrets(values: _Values) -> list[str]:
    """One secret in two roles lets whoever holds one of them play the other."""
    everything = [values.client_secret, *values.webhook_secrets, *values.forward_secrets]
    present = [secret for secret in everything if secret]
    if len(set(present)) == len(present):
        return []
    return ["client_secret, webhook_secrets and forward_secrets must all differ"]


def _database_url(judge: _Judge, value: str) -> str:
    if not re.match(r"sqlite:///.|postgresql://.", value):
        judge.problems.append("database_url must begin with sqlite:/// or postgresql://")
    return value


def load_key_service(file: Path | None = None) -> KeyService | None:
    """The key service alone, for making the first key, when there are no whole settings yet.

    Raises:
        ConfigurationError: with every problem found.
    """
    judge = _Judge()
    service = _key_service(judge, _load_values(file))
    if judge.problems:
        raise ConfigurationError(judge.problems)
    return service


def _key_service(judge: _Judge, values: _Values) -> KeyService | None:
    service, problems = judge_service(_key_source(values))
    if service is not None:
        judge.url("key_service_url", values.key_service_url, origin_only=True)
    judge.problems += problems
    return service


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
    """Beside an SQLite file unless said otherwise; a PostgreSQL server's disk is not ours."""
    if values.receipts_folder or not values.database_url.startswith("sqlite:///"):
        return values.receipts_folder
    return f"{values.database_url.removeprefix('sqlite:///')}-receipts"


def _events_url(judge: _Judge, value: str) -> str:
    if value and not re.match(r"(nats|tls)://.", value):
        judge.problems.append("events_url must begin with nats:// or tls://, or be empty")
    return value
