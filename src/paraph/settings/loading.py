"""Reads the settings and checks them; all problems are reported together.

No service starts with a weak or missing setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from paraph.errors import ConfigurationError
from paraph.outgoing.route import OutgoingRoute
from paraph.outgoing.settings import check_route
from paraph.settings.clouds import default_api_servers, mixed_clouds
from paraph.settings.consistency import contradictions, never_granted, shared_secrets
from paraph.settings.keys import KeyService, KeySource, check_keys, check_service
from paraph.settings.model import Settings, Written
from paraph.settings.source import (
    close_names,
    current_names,
    exact_names,
    read_file,
    read_keywords,
    read_variables,
    type_problem,
    unwrap,
)
from paraph.settings.sqlite_url import sqlite_file
from paraph.settings.validation import PLAIN_PATH, SettingChecks, is_plain_path

DEFAULT_FILE = Path("paraph.toml")
# The built-in pages of a service inside another application.
START_PATH = "/start"
LINK_PATH = "/link"


def load_settings(
    file: Path | None = None,
    keywords: Mapping[str, object] | None = None,
    *,
    mount: Mount | None = None,
) -> Settings:
    """Read a TOML file, the environment and keywords, and check all settings.

    Args:
        file: the TOML file; by default `paraph.toml` in the working directory, if it exists.
        keywords: settings by name; they win over the environment, which wins over the file.
        mount: the place of the service inside another application, if it has one.

    Raises:
        ConfigurationError: it names every problem; it holds no value of a secret.
        UsageError: a keyword is not a setting.

    Example:
        settings = load_settings(file)
        assert settings.linking == "host"
    """
    return _checked(*_read(file, keywords or {}), mount or Mount())


@dataclass(frozen=True, slots=True)
class Mount:
    """The place of the service inside another application.

    Attributes:
        prefix: the path below `public_url` at which its URLs stand.
        has_pages: whether it serves its own start URL and confirmation page.
    """

    prefix: str = ""
    has_pages: bool = False


@dataclass(frozen=True, slots=True)
class Inspected:
    """Settings as they are, complete or not.

    Attributes:
        settings: None if there is a problem.
        written: the values as written; a bad value has its default.
        problems: every problem, without a value of a secret.
    """

    settings: Settings | None
    written: Written
    problems: tuple[str, ...]


def inspect_settings(file: Path | None = None) -> Inspected:
    """Read a TOML file and the environment, and return what is wrong instead of raising it.

    Args:
        file: the TOML file; by default `paraph.toml` in the working directory, if it exists.
    """
    try:
        written, problems = _read(file)
    except ConfigurationError as error:
        return Inspected(None, Written(), tuple(error.problems))
    try:
        return Inspected(_checked(written, problems, Mount()), written, ())
    except ConfigurationError as error:
        return Inspected(None, written, tuple(error.problems))


def _read(
    file: Path | None, keywords: Mapping[str, object] | None = None
) -> tuple[Written, list[str]]:
    """Return the values, and the problems of their names and types; a bad value has its default."""
    path = file or DEFAULT_FILE
    given, problems = ({}, []) if file is None and not path.exists() else read_file(path)
    variables = current_names(EnvSettingsSource(Written).env_vars, prefix="paraph_")
    fields = Written.model_fields
    given, wrong = exact_names(current_names(given), fields)
    problems += wrong
    from_variables, wrong = read_variables(
        {name: text for name, text in variables.items() if name.removeprefix("paraph_") in fields},
        [name for name, field in fields.items() if field.annotation == list[str]],
    )
    problems += wrong + close_names(variables, fields)
    given, wrong = unwrap(given | from_variables | read_keywords(keywords or {}, fields))
    problems += wrong
    try:
        return Written(**given), problems
    except ValidationError as error:
        problems += [type_problem(one["loc"], one["type"], fields) for one in error.errors()]
        bad = {str(one["loc"][0]) for one in error.errors()}
        return Written(**{name: v for name, v in given.items() if name not in bad}), problems


def _checked(values: Written, problems: list[str], mount: Mount) -> Settings:
    checks = SettingChecks()
    public_url = _public_url(checks, values, mount)
    start_url, link_url = _host_urls(checks, values, mount, public_url)
    if not values.webhook_secrets:
        checks.problems.append("webhook_secrets is missing: give the app's secret token in a list")
    encryption_keys, weak_keys = check_keys(_key_source(values))
    checks.problems += weak_keys
    outgoing = _outgoing(checks, values)
    settings = Settings(
        client_id=checks.client_id(values.client_id),
        client_secret=checks.secret("client_secret", values.client_secret),
        webhook_secrets=checks.secrets("webhook_secrets", values.webhook_secrets),
        public_url=public_url,
        public_bind=checks.bind("public_bind", values.public_bind),
        private_bind=checks.bind("private_bind", values.private_bind),
        database_url=checks.database_url("database_url", values.database_url),
        events_url=checks.events_url("events_url", values.events_url),
        encryption_keys=encryption_keys,
        linking=values.linking,
        start_url=start_url,
        link_url=link_url,
        required_scopes=checks.scopes("required_scopes", values.required_scopes),
        level=values.level,
        authorization_server=checks.url(
            "authorization_server", values.authorization_server, origin_only=True
        ),
        api_servers=tuple(
            checks.url(f"api_servers[{n}]", server, origin_only=True)
            for n, server in enumerate(_api_servers(values))
        ),
        proxy_allow=tuple(checks.rule("proxy_allow", rule) for rule in values.proxy_allow),
        forward_url=checks.url("forward_url", values.forward_url) if values.forward_url else "",
        forward_secrets=checks.signing_secrets("forward_secrets", values.forward_secrets),
        trusted_proxies=checks.networks("trusted_proxies", values.trusted_proxies),
        freshness_past=values.freshness_past,
        freshness_future=values.freshness_future,
        event_retention=values.event_retention,
        dead_letter_retention=values.dead_letter_retention,
        app_name=checks.text("app_name", values.app_name),
        verify_zoom=checks.text("verify_zoom", values.verify_zoom),
        security_contact=checks.contact("security_contact", values.security_contact),
        operator_url=(
            checks.url("operator_url", values.operator_url, origin_only=True)
            if values.operator_url
            else ""
        ),
        receipts_folder=checks.text("receipts_folder", _receipts_folder(values)),
        key_service=_key_service(checks, values, outgoing),
        webhook_rotation_until=(
            0
            if values.webhook_rotation_until is None
            else int(values.webhook_rotation_until.timestamp())
        ),
        event_timeout=values.event_timeout,
        event_order=values.event_order,
        fast_path=values.fast_path,
        private_hosts=tuple(checks.host("private_hosts", name) for name in values.private_hosts),
        outgoing=outgoing,
        drain_seconds=values.drain_seconds,
    )
    if not settings.api_servers:
        checks.problems.append("api_servers is empty: no host would be allowed to see a token")
    checks.problems += mixed_clouds(settings.authorization_server, settings.api_servers)
    checks.problems += never_granted(settings.required_scopes, level=settings.level)
    checks.problems += contradictions(settings, values) + shared_secrets(values)
    # A value of a wrong type was left out above; do not report it as missing too.
    named = {problem.partition(":")[0].partition("[")[0] for problem in problems}
    missing = {f"{name} is missing" for name in named}
    problems += [one for one in checks.problems if one.partition(":")[0] not in missing]
    if problems:
        raise ConfigurationError(problems)
    return settings


def _public_url(checks: SettingChecks, values: Written, mount: Mount) -> str:
    """Return the URL below which the service stands."""
    if mount.prefix and not is_plain_path(mount.prefix):
        checks.problems.append(f"prefix cannot be used: write {PLAIN_PATH}")
    return checks.base_url("public_url", values.public_url) + mount.prefix


def _host_urls(
    checks: SettingChecks, values: Written, mount: Mount, public_url: str
) -> tuple[str, str]:
    """Return the start URL and the confirmation page: the host's own ones, or the built-in ones."""
    if not mount.has_pages:
        if values.linking == "none":
            return "", ""
        return checks.url("start_url", values.start_url), checks.url("link_url", values.link_url)
    if values.linking == "none":
        checks.problems.append(
            'subject_of is given, and linking = "none" links nothing: remove one of them'
        )
    if values.link_url:
        checks.problems.append(
            "link_url is set, and with subject_of the confirmation page is built in: remove one"
        )
    start_url = values.start_url and checks.url("start_url", values.start_url)
    return start_url or f"{public_url}{START_PATH}", f"{public_url}{LINK_PATH}"


def _api_servers(values: Written) -> list[str]:
    """Return the given hosts, else those of the authorization server's cloud."""
    if "api_servers" in values.model_fields_set:
        return values.api_servers
    return list(default_api_servers(values.authorization_server))


def load_key_service(file: Path | None = None) -> KeyService | None:
    """Load only the key service, to create the first key before all settings exist.

    Raises:
        ConfigurationError: it names every problem.
    """
    checks = SettingChecks()
    values, problems = _read(file)
    service = _key_service(checks, values, _outgoing(checks, values))
    if problems + checks.problems:
        raise ConfigurationError(problems + checks.problems)
    return service


def _key_service(checks: SettingChecks, values: Written, route: OutgoingRoute) -> KeyService | None:
    service, problems = check_service(_key_source(values))
    checks.problems += problems
    if service is None:
        return None
    checks.url("key_service_url", values.key_service_url, origin_only=True)
    return replace(service, route=route)


def _outgoing(checks: SettingChecks, values: Written) -> OutgoingRoute:
    route, problems = check_route(
        proxy=values.outgoing_proxy, bypass=values.outgoing_proxy_bypass, ca_file=values.ca_file
    )
    checks.problems += problems
    return route


def _key_source(values: Written) -> KeySource:
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


def _receipts_folder(values: Written) -> str:
    """Return the folder; by default beside an SQLite file, and no folder with PostgreSQL."""
    file = sqlite_file(values.database_url)
    return values.receipts_folder or (f"{file}-receipts" if file else "")
