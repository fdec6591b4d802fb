"""The app of an install flow, made of arguments that are checked together."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from paraph.encoding import random_text
from paraph.errors import ConfigurationError
from paraph.oauth.roles import AuthorizationServer, Client
from paraph.outgoing.route import OutgoingRoute, origin_of
from paraph.outgoing.settings import check_route
from paraph.sealing.key_ring import KeyRing
from paraph.secret import Secret
from paraph.settings.clouds import default_api_servers, mixed_clouds
from paraph.settings.keys import key_problems
from paraph.settings.validation import SettingChecks
from paraph.zoom.server_metadata import api_server_for, zoom_authorization_server

SecretText: TypeAlias = str | Secret
_TIMEOUTS = (1.0, 60.0)


@dataclass(frozen=True, slots=True)
class App:
    """One app at Zoom, with its keys and its policy.

    Attributes:
        server: the authorization server.
        clients: the client with each of its secrets, newest first.
        ring: the keys of the sealed cookies.
        required_scopes: the scopes without which nothing is installed.
        api_servers: the origins of Zoom's API that may receive an access token.
        start_url: the host's URL at which a person starts an install.
        route: the proxy and the certificate authorities of outgoing connections.
        timeout: seconds for one request to Zoom.
        clock: returns epoch seconds.
    """

    server: AuthorizationServer
    clients: tuple[Client, ...]
    ring: KeyRing
    required_scopes: frozenset[str]
    api_servers: tuple[str, ...]
    start_url: str
    route: OutgoingRoute
    timeout: float
    clock: Callable[[], float]

    @property
    def client(self) -> Client:
        """The client with its newest secret."""
        return self.clients[0]

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that requests may be sent to."""
        return (origin_of(self.server.token_endpoint), *self.api_servers)

    def now(self) -> int:
        """Return the time in whole epoch seconds."""
        return int(self.clock())

    def one_use_code(self) -> Secret:
        """Return 256 random bits as text."""
        return Secret(random_text(os.urandom(32)))

    def api_server(self, api_url: str | None) -> str:
        """Return the host that a token response names if it is allowed, else the first one."""
        return api_server_for(api_url, allowed=self.api_servers)


def check_app(
    *,
    client_id: str,
    client_secret: SecretText | Sequence[SecretText],
    redirect_uri: str,
    sealing_key: SecretText | Sequence[SecretText],
    use_state: object,
    required_scopes: Sequence[str],
    start_url: str,
    authorization_server: str,
    api_servers: Sequence[str],
    outgoing_proxy: str,
    ca_file: str,
    timeout: float,
    clock: Callable[[], float],
) -> App:
    """Check the arguments of `InstallFlow`, which describes them.

    Raises:
        ConfigurationError: it names every problem; it holds no value of a secret.
    """
    checks = SettingChecks()
    secrets, keys = _texts(client_secret), _texts(sealing_key)
    checks.client_id(client_id)
    known = checks.secrets("client_secret", secrets or [""])
    checks.url("redirect_uri", redirect_uri)
    checks.problems += key_problems("sealing_key", keys)
    if len({client_id, *secrets, *keys}) < 1 + len(secrets) + len(keys):
        checks.problems.append(
            "client_id, client_secret and sealing_key must all differ, and a list must not repeat "
            "a value: give each its own value"
        )
    if isinstance(required_scopes, str):
        checks.problems.append('required_scopes is a text: write ["one", "two"]')
    scopes = checks.scopes("required_scopes", list(required_scopes))
    server = checks.url("authorization_server", authorization_server, origin_only=True)
    apis = _api_servers(checks, server, api_servers)
    start = _start_url(checks, start_url, redirect_uri)
    route, problems = check_route(proxy=outgoing_proxy, bypass=(), ca_file=ca_file)
    checks.problems += problems
    if not callable(use_state):
        checks.problems.append("use_state must be a function: use_state(state_hash, expires_at)")
    if not _TIMEOUTS[0] <= timeout <= _TIMEOUTS[1]:
        checks.problems.append("timeout must be 1 to 60 seconds")
    if checks.problems:
        raise ConfigurationError(checks.problems, remedy="Fix every problem listed above.")
    return App(
        server=zoom_authorization_server(server),
        clients=tuple(Client(client_id, secret, redirect_uri) for secret in known),
        ring=KeyRing.parse(keys),
        required_scopes=scopes,
        api_servers=apis,
        start_url=start,
        route=route,
        timeout=timeout,
        clock=clock,
    )


def _texts(value: SecretText | Sequence[SecretText]) -> list[str]:
    """Return the text of one secret, or of each in a list."""
    values = [value] if isinstance(value, str | Secret) else value
    return [one.reveal() if isinstance(one, Secret) else one for one in values]


def _api_servers(checks: SettingChecks, server: str, api_servers: Sequence[str]) -> tuple[str, ...]:
    listed = list(api_servers) or list(default_api_servers(server))
    checked = tuple(
        checks.url(f"api_servers[{place}]", one, origin_only=True)
        for place, one in enumerate(listed)
    )
    checks.problems += mixed_clouds(server, checked)
    return checked


def _start_url(checks: SettingChecks, start_url: str, redirect_uri: str) -> str:
    """Check the URL of a clean restart: a path of the redirect URI's own site, or a whole URL."""
    is_path = start_url.startswith("/") and not start_url.startswith("//")
    checks.url("start_url", f"https://host.example{start_url}" if is_path else start_url)
    whole = f"{_origin(redirect_uri)}{start_url}" if is_path else start_url
    if whole.partition("?")[0] == redirect_uri.partition("?")[0]:
        checks.problems.append(
            "start_url is the redirect URI: name the URL at which a person starts an install"
        )
    return start_url


def _origin(url: str) -> str:
    try:
        return origin_of(url)
    except ValueError:
        # Another line reports the URL itself.
        return ""
