"""The settings of the service: as they are used, and as they are written.

They are read from `PARAPH_*` variables and a TOML file; a variable wins. No setting turns a
check off, and plain http is accepted on loopback addresses only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AwareDatetime, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from paraph.outgoing.route import DIRECT, OutgoingRoute
from paraph.secret import Secret
from paraph.settings.keys import KeyService
from paraph.settings.validation import Network

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


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the service, checked and in their final types. Times in seconds.

    Example:
        zoom = Zoom(settings)
        assert zoom.settings.level == "user"
    """

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
    fast_path: bool = True
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

    @property
    def base_path(self) -> str:
        """The path of `public_url`, below which every URL of the service stands; often ""."""
        return urlsplit(self.public_url).path

    @property
    def public_origin(self) -> str:
        """The origin of `public_url`, as browsers send it in `Origin`."""
        return self.public_url.removesuffix(self.base_path)


class Written(BaseSettings):
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
    fast_path: bool = True
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
        """Use only the values that the loader passes: no other source is read."""
        return (init_settings,)
