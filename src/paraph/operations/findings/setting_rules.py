"""Rules over the settings: problems that prevent a start, and weak values that are accepted."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from paraph.operations.findings.rule import Finding
from paraph.operations.probes.facts import Facts
from paraph.settings.clouds import cloud_of
from paraph.settings.model import Settings, Written
from paraph.settings.postgresql_url import is_postgresql, parse_postgresql_url
from paraph.settings.validation import is_address, is_local_host, is_loopback

# Zoom's last retry is 85 minutes after the event (docs/api/webhooks), perhaps with its first time.
_LAST_RETRY_SECONDS = 85 * 60
_LONG_RETENTION_SECONDS = 90 * 86400

# No company's proxies have as many public addresses: a prefix of this length or shorter.
_WIDEST_PUBLIC = {4: 8, 6: 19}
# The credentials of the simulated Zoom, and rows of an alphabet or a keyboard.
_GUESSABLE = re.compile(r"simulated-zoom|abcdefgh|qwertyu|letmein", re.IGNORECASE)
# The fewest different characters of a secret; a random one of 12 never has as few.
_VARIETY = 5
_API_HOST = re.compile(r"(?:[a-z]+[0-9]+)?api(?:-[a-z]+)?\.")
_OTHER_HOSTS = frozenset({"marketplace.zoom.us", "developers.zoom.us", "www.zoom.us"})
_EVERY_PATH = frozenset({"/v2/**", "**"})
_PRIVATE_NAMES = (".localhost", ".local", ".internal", ".home.arpa", ".invalid", ".onion")

# The first pattern that matches a problem's sentence decides its rule and the default remedy.
_PROBLEMS = (
    (r"can be read or changed by others|can be read by others", "file-open-to-others", ""),
    (r"cannot be read:|is not TOML|is not a text file", "settings-unreadable", "Correct the file."),
    (
        r"looks like a placeholder|is shorter than",
        "secret-weak",
        "Paste the secret from Zoom's form.",
    ),
    (
        r"^encryption_keys|^encryption_keys_file|encryption_keys_file, not both",
        "encryption-key-wrong",
        "Make a key with `paraph keys new` and put it first in encryption_keys.",
    ),
    (r"is missing", "setting-missing", "Add it to paraph.toml, or run `paraph init`."),
    (
        r"is not a setting",
        "setting-unknown",
        "Correct the name; docs/reference/settings.md lists all.",
    ),
    (
        r"(is in|has) quotes|before or after its text|more than its value|line ends or non-ASCII",
        "secret-pasted-wrong",
        "Paste the value alone.",
    ),
    (r"without TLS", "database-without-tls", ""),
    (r"is plain http", "plain-http", "Write https://."),
    (r"covers? every address", "proxies-trust-everybody", ""),
    (r"belongs to .* (and|cloud)", "clouds-mixed", ""),
    (r"never grants", "scope-never-granted", ""),
    (r"must all differ|repeats ", "secret-with-two-roles", ""),
    (
        r"URL|URI|origin|host that|lower case|default port|has a path|credentials",
        "url-invalid",
        "Write a full URL.",
    ),
    (
        r"must differ|links nothing|of the service itself|is public_url|no effect",
        "settings-contradict",
        "Remove one of the two.",
    ),
)
_NAME = re.compile(r"([A-Za-z_]+)(?:\[\d+\])?")
_PREFIX = re.compile(r"\w+(?:\[\d+\])?: ")


def setting_findings(facts: Facts) -> Iterator[Finding]:
    """Find the problems of the settings, and what is weak in settings that can be used."""
    if facts.settings_problems and _has_no_file(facts):
        yield Finding(
            "settings-unreadable",
            facts.settings_file,
            f"There is no {facts.settings_file} here, and no PARAPH_* variables.",
            "Run `paraph init`, or give the settings file with --config.",
        )
    else:
        for problem in facts.settings_problems:
            yield problem_finding(problem, facts.settings_file)
    if facts.settings is not None:
        yield from _zoom_findings(facts.settings)
        yield from _side_findings(facts.settings)
        yield from _data_findings(facts.settings, facts.now)


def _has_no_file(facts: Facts) -> bool:
    """Return true if nothing was set at all: the list of missing settings would say less."""
    missing = any(one.role == "settings" and not one.exists for one in facts.files)
    return missing and all("is missing" in one for one in facts.settings_problems)


def problem_finding(problem: str, file: str) -> Finding:
    """Return the finding for a sentence of the settings' own checks.

    Args:
        problem: a problem as `ConfigurationError` carries it: the cause, often with a remedy.
        file: the settings file, for problems that name no setting.
    """
    rule, default = next(
        ((rule, remedy) for pattern, rule, remedy in _PROBLEMS if re.search(pattern, problem)),
        ("setting-invalid", "Correct the value; docs/reference/settings.md describes it."),
    )
    cause, remedy = _split(problem, rule)
    name = _NAME.match(problem)
    is_name = name is not None and (rule == "setting-unknown" or name[1] in Written.model_fields)
    place = name[0] if name is not None and is_name else file
    return Finding(rule, place, _sentence(cause), _sentence(remedy or default or "Correct it."))


def _split(problem: str, rule: str) -> tuple[str, str]:
    """Return the cause and the remedy, which stands behind the first colon after the name."""
    if rule == "settings-unreadable":
        # Behind the colon stands what the system or the parser said.
        return problem, ""
    prefix = _PREFIX.match(problem)
    start = prefix.end() if prefix else 0
    cause, _, remedy = problem[start:].partition(": ")
    return problem[:start] + cause, remedy


def _sentence(text: str) -> str:
    text = text.strip()
    # A name of a setting keeps its case.
    first = text.split(" ", 1)[0]
    shown = (
        text if re.search(r"[_./\[:]", first) or text[0] in "`'\"" else text[0].upper() + text[1:]
    )
    return shown if shown.endswith((".", "!", "?")) else f"{shown}."


def _zoom_findings(settings: Settings) -> Iterator[Finding]:
    if not settings.required_scopes:
        yield Finding(
            "no-required-scopes",
            "required_scopes",
            "An installation is accepted whatever scopes the person granted.",
            'List the scopes that your product needs, such as ["user:read:user"].',
        )
    host = urlsplit(settings.authorization_server).hostname or ""
    if is_loopback(host) and _is_public(settings):
        yield Finding(
            "zoom-is-simulated",
            "authorization_server",
            "People are sent to a Zoom on this machine, which anybody here can be.",
            "Remove authorization_server and api_servers, so that the real Zoom is used.",
        )
    elif not is_loopback(host):
        yield from _guessable_findings(settings)
    yield from _foreign_findings(settings)
    yield from _key_findings(settings)
    for scope in sorted(one for one in settings.required_scopes if one != one.lower()):
        yield Finding(
            "scope-never-granted",
            "required_scopes",
            f"Zoom never grants {scope}: names of scopes are compared byte for byte.",
            f"Write {scope.lower()}.",
        )


def _guessable_findings(settings: Settings) -> Iterator[Finding]:
    """Find secrets that an attacker tries first, although a service starts with them."""
    secrets = [("client_secret", settings.client_secret)]
    for name in ("webhook_secrets", "forward_secrets"):
        listed = enumerate(getattr(settings, name))
        secrets += [(f"{name}[{place}]", secret) for place, secret in listed]
    for place, secret in secrets:
        value = secret.reveal()
        if _GUESSABLE.match(value) or len(set(value.removeprefix("whsec_"))) < _VARIETY:
            yield Finding(
                "secret-weak",
                place,
                "The value is a published one, or is made of a pattern.",
                "Paste the secret from Zoom's form; make a secret of your own with a generator.",
            )


def _foreign_findings(settings: Settings) -> Iterator[Finding]:
    """Find servers that get the client secret or access tokens and are not Zoom's."""
    servers = [("authorization_server", settings.authorization_server)]
    servers += [(f"api_servers[{place}]", one) for place, one in enumerate(settings.api_servers)]
    for place, url in servers:
        host = urlsplit(url).hostname or ""
        is_api_host = _API_HOST.match(host) is not None
        if (cloud_of(url) and is_api_host != place.startswith("api")) or host in _OTHER_HOSTS:
            role = "API" if place.startswith("api") else "authorization server"
            yield Finding(
                "url-invalid",
                place,
                f"{host} is a host of Zoom's, and not the one of its {role}.",
                f"Remove {place.partition('[')[0]}, so that Zoom's own hosts are used.",
            )
        if not cloud_of(url) and not is_loopback(host):
            yield Finding(
                "zoom-is-foreign",
                place,
                f"{host} does not belong to Zoom, and gets the client secret or access tokens.",
                f"Remove {place.partition('[')[0]}, so that Zoom's own hosts are used.",
            )


def _key_findings(settings: Settings) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for place, one in enumerate(settings.encryption_keys):
        material = one.reveal().partition(":")[2]
        if material in seen:
            yield Finding(
                "encryption-key-wrong",
                f"encryption_keys[{place}]",
                f"encryption_keys[{place}] is encryption_keys[{seen[material]}] under another id, "
                "so a rotation between them changes nothing.",
                "Make another key with `paraph keys new`.",
            )
        seen.setdefault(material, place)


def _side_findings(settings: Settings) -> Iterator[Finding]:
    public = urlsplit(settings.public_url).hostname or ""
    if _is_public(settings) and is_address(public):
        yield Finding(
            "public-host-is-address",
            "public_url",
            "The host of public_url is an IP address, and Zoom sends events to names only.",
            "Give the service a name, and a certificate for it.",
        )
    if _is_public(settings) and _is_name_of_a_network(public):
        yield Finding(
            "name-not-public",
            public,
            f"{public} is a name of a machine or of a private network, which Zoom cannot reach.",
            "Let public_url name a host that has a public address.",
        )
    if cloud_of(settings.public_url):
        yield Finding(
            "settings-contradict",
            "public_url",
            "This is a host of Zoom's, and not the one of the service.",
            "Write the URL that browsers and Zoom reach this service by.",
        )
    yield from _proxy_findings(settings)
    if _is_public(settings) and not settings.trusted_proxies:
        yield Finding(
            "proxies-not-named",
            "trusted_proxies",
            "The proxy in front of the service is not named, so all clients share one rate limit.",
            "Name the proxy's network, such as 127.0.0.1 for a proxy on this machine.",
        )
    if settings.operator_url and urlsplit(settings.operator_url).hostname == public:
        yield Finding(
            "private-side-exposed",
            "operator_url",
            "The operator pages stand on the host of public_url, which everybody reaches.",
            "Give them a host of their own that only operators reach.",
        )
    host = settings.private_bind[0]
    if not is_loopback(host):
        yield Finding(
            "private-side-exposed",
            "private_bind",
            f"The management API, the operator pages and the metrics listen on {host}.",
            "Bind it to 127.0.0.1, or to an address that only your backend can reach.",
        )
    if is_postgresql(settings.database_url):
        url = parse_postgresql_url(settings.database_url)
        far = not all(is_local_host(host) for host, _ in url.hosts)
        if far and url.sslmode == "require" and not url.root_certificates:
            yield Finding(
                "database-not-proven",
                "database_url",
                "The connection is encrypted, and any server may be at its other end.",
                "Write sslmode=verify-full and sslrootcert=FILE.",
            )


def _proxy_findings(settings: Settings) -> Iterator[Finding]:
    for place, network in enumerate(settings.trusted_proxies):
        if network.is_global and network.prefixlen <= _WIDEST_PUBLIC[network.version]:
            yield Finding(
                "proxies-trust-everybody",
                f"trusted_proxies[{place}]",
                f"{network} has {network.num_addresses:,} public addresses, and each may claim to "
                "be any client.",
                "Name the networks of your own proxies.",
            )
    for rule in settings.proxy_allow:
        methods, _, path = rule.partition(" ")
        if path in _EVERY_PATH and set(methods.split(",")) - {"GET"}:
            yield Finding(
                "proxy-allows-everything",
                "proxy_allow",
                f"The rule {rule} lets each key with the scope proxy change everything that the "
                "tokens can change.",
                "Name the paths that your product writes to, and keep ** for GET.",
            )


def _data_findings(settings: Settings, now: int) -> Iterator[Finding]:
    if settings.freshness_past < _LAST_RETRY_SECONDS:
        yield Finding(
            "freshness-below-retries",
            "freshness_past",
            f"Deliveries older than {settings.freshness_past} seconds are refused, and Zoom "
            f"retries for {_LAST_RETRY_SECONDS}: late events and removals are lost.",
            "Remove freshness_past; replays are recognised by their content.",
        )
    is_rotating = settings.webhook_rotation_until > now
    if len(settings.webhook_secrets) > 1 and not is_rotating:
        yield Finding(
            "old-webhook-secret",
            "webhook_secrets",
            f"{len(settings.webhook_secrets)} secrets are accepted, and no rotation is under way.",
            "Remove all but the first, or set webhook_rotation_until while you rotate.",
        )
    for name in ("event_retention", "dead_letter_retention"):
        days = getattr(settings, name) // 86400
        if days * 86400 > _LONG_RETENTION_SECONDS:
            yield Finding(
                "data-kept-long",
                name,
                f"Bodies of events, which hold personal data, are kept for {days} days.",
                "Keep them for as long as redelivery is of use: 30 days or less.",
            )
    if not settings.receipts_folder:
        yield Finding(
            "no-receipts",
            "receipts_folder",
            "A backup that is restored would bring back people who removed the app since.",
            "Set receipts_folder to a folder outside the database, and back it up.",
        )


def _is_name_of_a_network(host: str) -> bool:
    """Return true for names of RFC 6761, RFC 6762 and ICANN that no public DNS has."""
    return not is_address(host) and ("." not in host or host.endswith(_PRIVATE_NAMES))


def _is_public(settings: Settings) -> bool:
    return settings.public_url.startswith("https://")


def is_public_address(address: str) -> bool:
    """Return true if an address can be reached from the internet."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False
