"""Each weakness of a set-up is found, and none in a sound one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from operations.findings.set_ups import (
    KEY,
    LARGE,
    LOCAL,
    NOW,
    ORIGIN,
    VALUES,
    examined,
    facts_of,
    rules_of,
    spoilt_manifest,
)
from paraph.operations.findings.rule import RULES, SEVERITIES
from paraph.operations.findings.setting_rules import problem_finding
from paraph.operations.probes.facts import (
    Arrival,
    ClockFacts,
    DatabaseFacts,
    Facts,
    FileFacts,
    LiveAnswer,
    ManifestFacts,
    NameFacts,
    NotChecked,
    ProxyFacts,
    TlsFacts,
)

HOST = ORIGIN.partition("://")[2]
FORWARDED = {"x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "https"}


@pytest.mark.parametrize("values", [VALUES, LOCAL, LARGE], ids=["proxied", "local", "large"])
def test_a_sound_set_up_has_no_weakness(tmp_path: Path, values: Mapping[str, Any]) -> None:
    """A service behind a proxy, one on a developer's machine, and one on PostgreSQL."""
    found = examined(facts_of(tmp_path, values))

    assert () == found.findings
    assert 0 == found.exit_code


SPOILT_SETTINGS: list[tuple[dict[str, Any], str, str]] = [
    ({"client_secret": "short"}, "secret-weak", "client_secret"),
    ({"client_secret": "your-client-secret"}, "secret-weak", "client_secret"),
    ({"client_secret": ""}, "setting-missing", "client_secret"),
    ({"client_secret": '"kF93-2bXq0-Zr8sLpW"'}, "secret-pasted-wrong", "client_secret"),
    ({"webhook_secrets": []}, "setting-missing", "webhook_secrets"),
    ({"webhook_secrets": ["kF93-2bXq0-Zr8sLpW"]}, "secret-with-two-roles", "client_id"),
    ({"webhook_secrets": ["hN71_0cYwe-Ty6dRmVq", "pQ8r_7tUvw-Xy2zAbC"]}, "old-webhook-secret", ""),
    ({"client_id": "  AbCdEf123456xyz"}, "secret-pasted-wrong", "client_id"),
    ({"public_url": "http://zoom.tidemark.example"}, "plain-http", "public_url"),
    ({"public_url": "zoom.tidemark.example"}, "url-invalid", "public_url"),
    ({"public_url": "https://Zoom.Tidemark.example"}, "url-invalid", "public_url"),
    ({"public_url": ""}, "setting-missing", "public_url"),
    ({"encryption_keys": []}, "encryption-key-wrong", "encryption_keys"),
    ({"encryption_keys": ["abc:def"]}, "encryption-key-wrong", "encryption_keys[0]"),
    ({"linkng": "none"}, "setting-unknown", "linkng"),
    ({"linking": "host"}, "setting-missing", "start_url"),
    ({"level": "team"}, "setting-invalid", "level"),
    ({"trusted_proxies": ["0.0.0.0/0"]}, "proxies-trust-everybody", "trusted_proxies[0]"),
    ({"trusted_proxies": []}, "proxies-not-named", "trusted_proxies"),
    ({"api_servers": ["https://api.zoomgov.com"]}, "clouds-mixed", "api_servers[0]"),
    ({"required_scopes": ["user:read:user:admin"]}, "scope-never-granted", "required_scopes"),
    ({"required_scopes": []}, "no-required-scopes", "required_scopes"),
    ({"private_bind": "0.0.0.0:8001"}, "private-side-exposed", "private_bind"),
    ({"database_url": "postgresql://u@db.example/p"}, "database-without-tls", "database_url"),
    (
        {"database_url": "postgresql://u@db.example/p?sslmode=require", "receipts_folder": "/r"},
        "database-not-proven",
        "database_url",
    ),
    ({"database_url": "postgresql://u@localhost/p"}, "no-receipts", "receipts_folder"),
    (
        {"authorization_server": "http://127.0.0.1:8100", "api_servers": ["http://127.0.0.1:8100"]},
        "zoom-is-simulated",
        "authorization_server",
    ),
    ({"freshness_past": 600}, "freshness-below-retries", "freshness_past"),
    ({"event_retention": 400 * 86400}, "data-kept-long", "event_retention"),
    ({"public_bind": "127.0.0.1:8001"}, "settings-contradict", "public_bind"),
    (
        {
            "forward_url": f"{ORIGIN}/webhook",
            "forward_secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        },
        "settings-contradict",
        "forward_url",
    ),
    (
        {"authorization_server": "https://zoom.us.evil.example"},
        "zoom-is-foreign",
        "authorization_server",
    ),
    ({"api_servers": ["https://api.evil.example"]}, "zoom-is-foreign", "api_servers[0]"),
    ({"public_url": "https://203.0.113.5"}, "public-host-is-address", "public_url"),
    ({"client_secret": "simulated-zoom-client-credential-0001"}, "secret-weak", "client_secret"),
    ({"webhook_secrets": ["AbcDefGhiJklMnoP"]}, "secret-weak", "webhook_secrets[0]"),
    (
        {"forward_url": "https://a.example/x", "forward_secrets": [f"whsec_{'A' * 32}"]},
        "secret-weak",
        "forward_secrets[0]",
    ),
    ({"trusted_proxies": ["0.0.0.0/1"]}, "proxies-trust-everybody", "trusted_proxies[0]"),
    ({"trusted_proxies": ["2a00::/16"]}, "proxies-trust-everybody", "trusted_proxies[0]"),
    ({"public_url": "https://zoom"}, "name-not-public", "zoom"),
    ({"public_url": "https://zoom.corp.internal"}, "name-not-public", "zoom.corp.internal"),
    ({"public_url": "https://zoom.us"}, "settings-contradict", "public_url"),
    ({"operator_url": f"{ORIGIN}:8443"}, "private-side-exposed", "operator_url"),
    ({"public_bind": "localhost:8001"}, "settings-contradict", "public_bind"),
    ({"public_bind": "0.0.0.0:8001"}, "settings-contradict", "public_bind"),
    ({"required_scopes": ["User:Read:User"]}, "scope-never-granted", "required_scopes"),
    ({"api_servers": ["https://zoom.us"]}, "url-invalid", "api_servers[0]"),
    (
        {"authorization_server": "https://marketplace.zoom.us"},
        "url-invalid",
        "authorization_server",
    ),
    ({"proxy_allow": ["GET,DELETE /v2/**"]}, "proxy-allows-everything", "proxy_allow"),
    ({"database_url": "sqlite:///:memory:"}, "setting-invalid", "database_url"),
    ({"database_url": "sqlite:////var/lib/paraph/"}, "setting-invalid", "database_url"),
    (
        {"encryption_keys": [KEY, f"11223344:{KEY.partition(':')[2]}"]},
        "encryption-key-wrong",
        "encryption_keys[1]",
    ),
]


@pytest.mark.parametrize(("changes", "rule", "place"), SPOILT_SETTINGS)
def test_each_weak_setting_is_named(
    tmp_path: Path, changes: dict[str, Any], rule: str, place: str
) -> None:
    """One spoilt setting is found at its name, with a cause and a remedy."""
    found = examined(facts_of(tmp_path, {**VALUES, **changes})).findings

    assert rule in [one.rule for one in found]
    worst = next(one for one in found if one.rule == rule)
    assert place in {"", worst.place}
    assert worst.cause.endswith((".", "?"))
    assert worst.remedy.endswith(".")


@pytest.mark.parametrize(
    ("problem", "rule", "cause", "remedy"),
    [
        (
            "x.toml cannot be read: No such file or directory",
            "settings-unreadable",
            "x.toml cannot be read: No such file or directory.",
            "Correct the file.",
        ),
        (
            "database_url is not a URL: percent-encode every @ : / ? # & % in its user",
            "url-invalid",
            "database_url is not a URL.",
            "Percent-encode every @ : / ? # & % in its user.",
        ),
        (
            'app_name: must be text in quotes, like "text"',
            "setting-invalid",
            'app_name: must be text in quotes, like "text".',
            "Correct the value; docs/reference/settings.md describes it.",
        ),
        (
            "client_secret: is in quotes: write it without them",
            "secret-pasted-wrong",
            "client_secret: is in quotes.",
            "Write it without them.",
        ),
    ],
)
def test_cause_and_remedy_are_told_apart(problem: str, rule: str, cause: str, remedy: str) -> None:
    """The remedy begins at the colon between the two, and at no other colon."""
    found = problem_finding(problem, "x.toml")

    assert (rule, cause, remedy) == (found.rule, found.cause, found.remedy)


SETTINGS_FILE = FileFacts("paraph.toml", "settings")
SPOILT_FACTS: list[tuple[dict[str, Any], str]] = [
    ({"files": (replace(SETTINGS_FILE, mode=0o644),)}, "file-open-to-others"),
    ({"files": (replace(SETTINGS_FILE, mode=0o660),)}, "file-open-to-others"),
    ({"files": (FileFacts("paraph.db", "database", mode=0o644),)}, "file-open-to-others"),
    ({"files": (FileFacts("receipts", "receipts", mode=0o755),)}, "file-open-to-others"),
    ({"files": (replace(SETTINGS_FILE, owned_by_another=True),)}, "file-of-another"),
    ({"files": (replace(SETTINGS_FILE, folder_mode=0o777),)}, "folder-open-to-others"),
    (
        {"files": (replace(SETTINGS_FILE, in_repository=True, ignored=False),)},
        "secret-in-repository",
    ),
    (
        {"files": (replace(SETTINGS_FILE, in_repository=True, ignored=True, committed=True),)},
        "secret-in-repository",
    ),
    ({"files": (FileFacts("p.bak", "settings copy", mode=0o640),)}, "file-open-to-others"),
    ({"tls_key_log": "keys.log"}, "tls-keys-logged"),
    ({"files": (FileFacts("keys.txt", "keys", exists=False),)}, "file-missing"),
    ({"files": (FileFacts("paraph.db", "database", obstacle="no"),)}, "file-not-usable"),
    (
        {"files": (FileFacts("r", "receipts", exists=False, obstacle="it is a file"),)},
        "file-not-usable",
    ),
    ({"database": DatabaseFacts(failure="nothing listens there")}, "database-unreachable"),
    ({"database": DatabaseFacts(unknown_steps=("c9999",))}, "database-of-newer-code"),
    ({"database": DatabaseFacts(removable_steps=("c0001",))}, "schema-outdated"),
    ({"database": DatabaseFacts(sealing_key="ffffffff")}, "key-not-held"),
    ({"database": DatabaseFacts(pooler="session")}, "pooler-in-session-mode"),
    ({"database": DatabaseFacts(clock_ahead=-40)}, "clock-of-database"),
    ({"clock": ClockFacts(skew=-420)}, "clock-wrong"),
    ({"clock": ClockFacts(skew=30)}, "clock-wrong"),
    ({"name": NameFacts(HOST, failure="Name or service not known")}, "name-unknown"),
    ({"name": NameFacts(HOST, ("10.0.0.4",))}, "name-not-public"),
    ({"tls": TlsFacts(ORIGIN, failure="self-signed certificate")}, "tls-not-trusted"),
    ({"tls": TlsFacts(ORIGIN, expires_at=NOW + 3 * 86400)}, "tls-expires"),
    ({"tls": TlsFacts(ORIGIN, old_versions=("TLSv1.1",))}, "tls-old-version"),
    ({"proxy": ProxyFacts(status=502)}, "public-url-silent"),
    ({"proxy": ProxyFacts(status=0, failure="refused")}, "public-url-silent"),
    ({"proxy": ProxyFacts(plain_status=200)}, "plain-http-served"),
    ({"proxy": ProxyFacts(forged_scheme_believed=True)}, "proxy-passes-forged"),
    ({"proxy": ProxyFacts(logs_with_query=("access.log",))}, "proxy-logs-codes"),
    ({"proxy": ProxyFacts(Arrival("10.1.2.3", HOST, {}))}, "proxy-hides-scheme"),
    (
        {"proxy": ProxyFacts(Arrival("10.1.2.3", HOST, {"x-forwarded-proto": "https"}))},
        "proxy-hides-address",
    ),
    ({"proxy": ProxyFacts(Arrival("10.9.9.9", HOST, FORWARDED))}, "proxy-not-trusted"),
    ({"proxy": ProxyFacts(Arrival("10.1.2.3", "localhost", FORWARDED))}, "proxy-changes-host"),
    (
        {"proxy": ProxyFacts(Arrival("10.1.2.3", HOST, FORWARDED, forged_address_arrived=True))},
        "proxy-passes-forged",
    ),
    ({"manifest": ManifestFacts("m.json", failure="not JSON")}, "manifest-unreadable"),
    (
        {"live": (LiveAnswer("other-redirect", refused=False, status=200),)},
        "live-other-redirect",
    ),
    (
        {"live": (LiveAnswer("needless-verifier", refused=False, status=200),)},
        "live-needless-verifier",
    ),
    ({"live": (LiveAnswer("second-redirect", refused=True, status=400),)}, "live-second-redirect"),
]


@pytest.mark.parametrize(("changes", "rule"), SPOILT_FACTS)
def test_each_weak_fact_is_named(tmp_path: Path, changes: dict[str, Any], rule: str) -> None:
    """One spoilt fact gives exactly its own finding."""
    facts = replace(facts_of(tmp_path, VALUES), **changes)

    assert {rule} <= set(rules_of(examined(facts)))
    assert {rule, "proxy-hides-address"} >= set(rules_of(examined(facts)))


OAUTH = "oauth_information"
SUBSCRIPTION = "features.event_subscription"
_REDIRECTS = ("development_redirect_uri", "production_redirect_uri")
SPOILT_MANIFESTS: list[tuple[str, Any, str]] = [
    (f"{OAUTH}.oauth_allow_list.1", f"{ORIGIN}/go?to=elsewhere", "redirect-of-another-service"),
    (f"{OAUTH}.oauth_allow_list.1", f"{ORIGIN}/marketplace/../x", "redirect-of-another-service"),
    (f"{OAUTH}.production_redirect_uri", f"{ORIGIN}/blog", "redirect-of-another-service"),
    (OAUTH, dict.fromkeys(_REDIRECTS, ""), "redirect-not-exact"),
    (f"{SUBSCRIPTION}.events.0.production_webhook_url", "", "webhook-url-wrong"),
    ("features.home", {"url": ["http://tidemark.example/home"]}, "manifest-url-not-https"),
    ("features.deauthorization", {"url": "https://a.example/d"}, "deauthorization-url-wrong"),
    (f"{OAUTH}.strict_mode", False, "strict-mode-off"),
    (f"{OAUTH}.subdomain_strict_mode", False, "subdomain-check-off"),
    (f"{OAUTH}.oauth_allow_list", [f"{ORIGIN}/oauth/redirect/"], "redirect-not-exact"),
    (f"{OAUTH}.oauth_allow_list.0", ORIGIN, "base-url-allowed"),
    (f"{OAUTH}.oauth_allow_list.1", "https://oauth.pstmn.io/v1/x", "foreign-host-allowed"),
    (f"{OAUTH}.oauth_allow_list.1", "not-a-url", "manifest-url-invalid"),
    (f"{OAUTH}.oauth_allow_list.1", f"{ORIGIN}/Market", "manifest-url-upper-case"),
    (f"{OAUTH}.production_redirect_uri", f"http://{HOST}/x", "manifest-url-not-https"),
    (
        OAUTH,
        dict.fromkeys(
            ("development_redirect_uri", "production_redirect_uri"), "https://evil.example/x"
        ),
        "redirect-on-another-host",
    ),
    (
        f"{OAUTH}.production_redirect_uri",
        "https://evil.example/x",
        "redirect-of-another-service",
    ),
    (f"{OAUTH}.usage", "ADMIN_MANAGEMENT", "usage-differs"),
    (f"{OAUTH}.scopes", [], "scope-missing"),
    (f"{OAUTH}.scopes.0", {"scope": "user:read:user", "optional": True}, "scope-optional"),
    (
        f"{OAUTH}.scopes",
        [{"scope": "user:read:user"}, {"scope": "meeting:delete:meeting"}],
        "scope-not-needed",
    ),
    (f"{OAUTH}.scopes", [{"scope": "user:read:user"}] * 2, "scope-repeated"),
    (f"{SUBSCRIPTION}.enable", False, "no-event-subscription"),
    (f"{SUBSCRIPTION}.events.0.event_types", [], "subscription-empty"),
    (f"{SUBSCRIPTION}.events.0.production_webhook_url", "http://x/", "manifest-url-not-https"),
    (
        f"{SUBSCRIPTION}.events.0",
        {"event_types": ["a.b"], "production_webhook_url": "https://evil.example/webhook"},
        "webhook-url-wrong",
    ),
    (
        f"{SUBSCRIPTION}.events.0.production_webhook_url",
        "https://evil.example/webhook",
        "webhook-of-another-service",
    ),
    (f"{OAUTH}.deauthorization_url", f"{ORIGIN}/other", "deauthorization-url-wrong"),
    ("display_information.display_name", "x" * 50, "display-name-refused"),
]


@pytest.mark.parametrize(("path", "value", "rule"), SPOILT_MANIFESTS)
def test_each_weakness_of_a_manifest_is_named(
    tmp_path: Path, path: str, value: Any, rule: str
) -> None:
    """One spoilt member of the manifest is found."""
    assert rule in rules_of(examined(spoilt_manifest(facts_of(tmp_path, VALUES), path, value)))


def test_every_rule_has_a_test() -> None:
    """The tables above name every rule, except where a file cannot be read at all."""
    tables: tuple[list[Any], ...] = (SPOILT_SETTINGS, SPOILT_FACTS, SPOILT_MANIFESTS)
    named = {word for table in tables for row in table for word in row if isinstance(word, str)}

    assert set(RULES) - {"settings-unreadable"} <= named
    assert {one.severity for one in RULES.values()} <= set(SEVERITIES)


def test_everything_is_found_at_once_and_the_worst_first(tmp_path: Path) -> None:
    """Ten weaknesses of five kinds need one run, and critical ones lead."""
    values = {**VALUES, "client_secret": "short", "linkng": 1, "encryption_keys": []}
    facts = replace(
        facts_of(tmp_path, values),
        files=(replace(SETTINGS_FILE, mode=0o644),),
        clock=ClockFacts(skew=900),
    )
    found = examined(facts)

    assert 1 == found.exit_code
    assert {
        *("secret-weak", "setting-unknown", "encryption-key-wrong"),
        *("file-open-to-others", "clock-wrong"),
    } <= set(rules_of(found))
    order = [SEVERITIES.index(one.severity) for one in found.findings]
    assert sorted(order) == order


def test_no_finding_shows_a_secret(tmp_path: Path) -> None:
    """Wrong secrets and keys are named by their setting alone."""
    secrets = ["kF93-2bXq0 Zr8sLpW", "hN71_0cYwe'Ty6dRmVq", "aabbccdd:notakeybutsecret"]
    values = {
        **VALUES,
        "client_secret": secrets[0],
        "webhook_secrets": [secrets[1]],
        "encryption_keys": [secrets[2]],
    }
    text = repr(examined(facts_of(tmp_path, values)).findings)

    assert [] == [one for one in [*secrets, KEY] if one in text]


def test_an_open_file_is_one_finding(tmp_path: Path) -> None:
    """The settings' own check of the mode and the one of files do not both report it."""
    facts = facts_of(tmp_path, VALUES, file_mode=0o644)
    path = str(tmp_path / "paraph.toml")
    open_file = FileFacts(path, "settings", mode=0o644)
    facts = replace(facts, files=(open_file,), settings_file=path)

    assert ["file-open-to-others"] == rules_of(examined(facts))


def test_a_folder_without_settings_says_what_to_run(tmp_path: Path) -> None:
    """Instead of a list of all required settings there is one finding."""
    facts = replace(
        facts_of(tmp_path, {}),
        files=(FileFacts("paraph.toml", "settings", exists=False),),
        manifest=None,
    )
    found = examined(replace(facts, live=(), clock=None, database=None)).findings

    assert ["settings-unreadable"] == [one.rule for one in found]
    assert "paraph init" in found[0].remedy


@pytest.mark.parametrize(("asked_for", "code"), [(False, 0), (True, 3)])
def test_a_part_that_could_not_be_checked_is_no_success(
    tmp_path: Path, *, asked_for: bool, code: int
) -> None:
    """Exit code 3 tells it from a part that nobody asked for."""
    left_out = (NotChecked("clock", "no response", asked_for=asked_for),)
    facts: Facts = replace(facts_of(tmp_path, VALUES), not_checked=left_out)

    assert code == examined(facts).exit_code


def test_a_group_of_root_may_read_the_settings(tmp_path: Path) -> None:
    """root:paraph with mode 0640 is how packages install such a file."""
    by_group = replace(SETTINGS_FILE, mode=0o640, root_reads_by_group=True)
    facts = replace(facts_of(tmp_path, VALUES), files=(by_group,))

    assert [] == rules_of(examined(facts))


def test_the_sources_are_sections_of_standards() -> None:
    """Each rule names a numbered section, an identifier, a page of Zoom's or of this project."""
    form: Callable[[str], object] = re.compile(
        r"section \d|ASVS|CWE-\d|RFC \d|Zoom: |^paraph: "
    ).search

    assert [] == [name for name, one in RULES.items() if not form(one.source)]
