from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paraph.errors import ConfigurationError
from paraph.sealing.encryption_key import new_encryption_key
from paraph.settings.loading import load_settings
from private_file import write_private

GOOD: dict[str, Any] = {
    "client_id": "AbCdEf123456",
    "client_secret": "kF93-2bXq0-Zr8sLpW",
    "webhook_secrets": ["hN71_0cYwe-Ty6dRmVq"],
    "public_url": "https://zoom.tidemark.example",
    "encryption_keys": [new_encryption_key()],
    "start_url": "https://tidemark.example/zoom/start",
    "link_url": "https://tidemark.example/zoom/link",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder without a paraph.toml."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, **changes: Any) -> Path:
    """A settings file: the good one with changes; None leaves a setting out."""
    values = {k: v for k, v in {**GOOD, **changes}.items() if v is not None}
    lines = (f"{name} = {json.dumps(value)}" for name, value in values.items())
    return write_private(folder / "settings.toml", "\n".join(lines))


def problems(folder: Path, **changes: Any) -> str:
    """What is said against a changed file."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(folder, **changes))
    return "\n".join(caught.value.problems)


def test_good_settings_are_taken(tmp_path: Path) -> None:
    """The redirect URI comes from the configured URL and from nothing else."""
    settings = load_settings(write(tmp_path))

    assert "https://zoom.tidemark.example/oauth/redirect" == settings.redirect_uri
    assert (7200, 300) == (settings.freshness_past, settings.freshness_future)
    assert ("host", "user") == (settings.linking, settings.level)
    assert "https://api.zoom.us" == settings.api_servers[0]


def test_with_nothing_every_missing_setting_is_named_at_once(tmp_path: Path) -> None:
    """A start without any setting names all that are needed, in one go."""
    empty = tmp_path / "empty.toml"
    empty.touch()
    with pytest.raises(ConfigurationError) as caught:
        load_settings(empty)
    said = "\n".join(caught.value.problems)

    for name in (*GOOD, "webhook_secrets", "encryption_keys"):
        assert name in said, name


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"client_secret": "short"}, "client_secret is shorter than 12"),
        ({"client_secret": "change-me-change-me"}, "client_secret looks like a placeholder"),
        ({"client_secret": "your_client_secret"}, "client_secret looks like a placeholder"),
        ({"client_secret": "aaaaaaaaaaaaaaaaaa"}, "client_secret looks like a placeholder"),
        ({"client_secret": "kF93 2bXq0 Zr8sLpW"}, "client_secret holds spaces"),
        ({"webhook_secrets": []}, "webhook_secrets is missing"),
        ({"webhook_secrets": ["hN71_0cYwe-Ty6dRmVq", ""]}, "webhook_secrets[1] is missing"),
        ({"webhook_secrets": [GOOD["client_secret"]]}, "must all differ"),
        ({"public_url": "http://zoom.tidemark.example"}, "public_url is plain http"),
        ({"public_url": "https://zoom.tidemark.example/x?y"}, "public_url must be an origin"),
        ({"public_url": "https://zoom.tidemark.example/x/"}, "public_url has a path that cannot"),
        ({"public_url": "https://zoom.tidemark.example/a/../b"}, "public_url has a path that can"),
        ({"public_url": "https://zoom.tidemark.example/%61"}, "public_url has a path that cannot"),
        ({"public_url": "https://zoom.tidemark.example//a"}, "public_url has a path that cannot"),
        ({"public_url": "https://user@tidemark.example"}, "public_url must hold no credentials"),
        ({"public_url": "https://Zoom.Tidemark.example"}, "public_url must be in lower case"),
        ({"public_url": "zoom.tidemark.example"}, "public_url is not an absolute"),
        ({"start_url": "javascript:alert(1)"}, "start_url is not an absolute"),
        ({"authorization_server": "http://zoom.us"}, "authorization_server is plain http"),
        ({"api_servers": ["https://api.zoom.us/v2"]}, "api_servers[0] must be an origin"),
        ({"api_servers": []}, "api_servers is empty"),
        ({"forward_url": "https://tidemark.example/h"}, "forward_secrets is missing"),
        ({"trusted_proxies": ["10.0.0.0/33"]}, "trusted_proxies[0] is not a network"),
        ({"trusted_proxies": ["0.0.0.0/0"]}, "trusted_proxies[0] covers every address"),
        ({"trusted_proxies": ["10.0.0.0/8", "::/0"]}, "trusted_proxies[1] covers every address"),
        ({"private_hosts": ["https://paraph.example.com"]}, "private_hosts: 'https://"),
        ({"private_hosts": ["paraph.example.com:8001"]}, "private_hosts: 'paraph"),
        ({"private_hosts": ["*.example.com"]}, "private_hosts: '*"),
        ({"database_url": "mysql://x"}, "database_url"),
        ({"freshness_past": 5}, "freshness_past"),
        ({"level": "tenant"}, "level"),
        ({"linking": "maybe"}, "linking"),
        ({"private_bind": "8001"}, "private_bind must be HOST:PORT"),
        ({"private_bind": "127.0.0.1:8000"}, "public_bind and private_bind must differ"),
        ({"client_id": "your-client-id"}, "client_id looks like a placeholder"),
        ({"client_id": "AbCdEf123456 "}, "client_id holds spaces"),
        ({"client_id": GOOD["client_secret"]}, "must all differ"),
        ({"required_scopes": ["user:read:user meeting:read"]}, "required_scopes[0] is not a scope"),
        ({"required_scopes": ["user:read:user", ""]}, "required_scopes[1] is not a scope"),
        ({"required_scopes": ["user:read:user:admin"]}, "write user:read:user, or set level"),
        (
            {"level": "account", "required_scopes": ["user:read:user"]},
            "write user:read:user:admin, or set level",
        ),
        ({"start_url": "https://tidemark.example/\nx"}, "start_url contains characters"),
        ({"start_url": "https://tidemark.example\\@evil.example/"}, "start_url"),
        ({"link_url": 'https://tidemark.example/"x'}, "link_url contains characters"),
        ({"start_url": "https://zoom.tidemark.example/install"}, "a page of the service itself"),
        ({"link_url": "https://zoom.tidemark.example/installed?x=1"}, "a page of the service"),
        ({"linking": "none"}, 'start_url is set, and linking = "none" links nothing'),
        ({"linking": "none", "start_url": None}, "link_url is set"),
        ({"forward_secrets": ["kQ82-1hTzs-Wb5nCvRt"]}, "forward_url is missing"),
        (
            {"forward_url": "https://tidemark.example/h", "forward_secrets": ["whsec_kQ82-1hTzs"]},
            "forward_secrets[0] must be whsec_ and base64",
        ),
        (
            {"forward_url": "https://tidemark.example/h", "forward_secrets": ["whsec_a1FyOHQ="]},
            "forward_secrets[0] must be whsec_ and base64",
        ),
        ({"security_contact": "security@tidemark.example"}, "security_contact must begin with"),
        ({"operator_url": "http://operators.tidemark.example"}, "operator_url is plain http"),
        ({"operator_url": "https://tidemark.example/admin/"}, "operator_url must be an origin"),
        ({"operator_url": GOOD["public_url"]}, "operator_url is public_url"),
        ({"security_contact": "mailto:a@b\nExpires: 1"}, "security_contact must begin with"),
        ({"encryption_keys": ["not-a-key"]}, "encryption_keys[0] is not what"),
        ({"encryption_keys": ["k1:" + "A" * 43]}, "encryption_keys[0] is not what"),
        ({"skip_state_check": True}, "skip_state_check"),
    ],
)
def test_what_is_weak_or_wrong_is_named(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    """One spoilt setting is one problem that names it, and nothing starts."""
    assert named in problems(tmp_path, **changes)


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    """Spoilt in several places, keys and contradictions among them: one start tells all of it."""
    said = problems(
        tmp_path,
        encryption_keys=["k1:short", GOOD["encryption_keys"][0]],
        linking="none",
        client_secret="short",
        security_contact="nobody",
    )

    for named in (
        "encryption_keys[0]",
        "start_url",
        "link_url",
        "client_secret",
        "security_contact",
    ):
        assert named in said


def test_a_generated_secret_is_never_taken_for_a_placeholder(tmp_path: Path) -> None:
    """Zoom's secrets are random letters, and short words fall into them by chance."""
    for value in ("kF93Todo2bXq0Zr8sLpW", "tOdOkF932bXq0Zr8sLpW", "kF93xXxX2bXq0Zr8sLpW"):
        assert value == load_settings(write(tmp_path, client_secret=value)).client_secret.reveal()


def test_a_signing_secret_is_taken_in_both_forms(tmp_path: Path) -> None:
    """As Standard Webhooks writes it, and plain."""
    for value in ("whsec_" + "q1R8" * 8, "kQ82-1hTzs-Wb5nCvRt"):
        file = write(tmp_path, forward_url="https://tidemark.example/h", forward_secrets=[value])
        assert value == load_settings(file).forward_secrets[0].reveal()


def test_no_value_of_a_secret_is_in_a_problem(tmp_path: Path) -> None:
    """A problem names a setting; its value stays out of terminals and logs."""
    said = problems(tmp_path, client_secret="hush-hush", webhook_secrets=["also-hush"], level="x")
    said += problems(tmp_path, encryption_keys=["hush:hush"], client_id="hush hush")
    assert "encryption_keys[0]" in said

    assert "hush" not in said


def test_plain_http_is_for_loopback_only(tmp_path: Path) -> None:
    """A developer's machine may; nothing else may."""
    for url in ("http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"):
        assert url == load_settings(write(tmp_path, public_url=url)).public_url


def test_without_linking_no_host_pages_are_needed(tmp_path: Path) -> None:
    """`linking = "none"` needs neither start_url nor link_url."""
    file = write(tmp_path, linking="none", start_url=None, link_url=None)

    assert "" == load_settings(file).link_url


def test_a_variable_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deployments override a file by PARAPH_ variables; lists are JSON."""
    monkeypatch.setenv("PARAPH_CLIENT_ID", "FromTheEnvironment")
    monkeypatch.setenv("PARAPH_REQUIRED_SCOPES", '["user:read:user"]')
    settings = load_settings(write(tmp_path))

    assert "FromTheEnvironment" == settings.client_id
    assert frozenset({"user:read:user"}) == settings.required_scopes


def test_a_wrong_type_hides_no_other_problem(tmp_path: Path) -> None:
    """All at once, whatever kind they are of; and what is wrong is not called missing too."""
    said = problems(tmp_path, level="x", client_id=5, freshness_past="long", client_secret="short")

    for named in ("level:", "client_id:", "freshness_past:", "client_secret is shorter"):
        assert named in said
    assert "client_id is missing" not in said


def test_a_variable_that_is_nearly_a_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slip of the pen must not leave a setting at its default."""
    for name, meant in (
        ("PARAPH_TRUSTED_PROXYS", "trusted_proxies"),
        ("PARAPH_REQUIRED_SCOPE", "required_scopes"),
        ("PARAPH_FRESHNES_PAST", "freshness_past"),
    ):
        with monkeypatch.context() as environment:
            environment.setenv(name, "[]")
            assert problems(tmp_path) == f"{name} is not a setting; is {meant} meant?"


def test_variables_of_a_platform_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container platform names the addresses of a service that is called paraph."""
    for name in ("PARAPH_SERVICE_HOST", "PARAPH_PORT_8000_TCP_ADDR", "PARAPH_KEY_SERVICE_HOST"):
        monkeypatch.setenv(name, "10.0.0.1")
    monkeypatch.setenv("PARAPH_IMAGE_VERSION", "1")

    assert "AbCdEf123456" == load_settings(write(tmp_path)).client_id


@pytest.mark.parametrize(
    "content", ["client_id = ", "\x00", "= 1", "client_id = 'a'\nclient_id = 'b'"]
)
def test_a_file_that_is_no_toml_is_said_so(tmp_path: Path, content: str) -> None:
    """A broken file is a configuration problem, never a stack trace."""
    file = tmp_path / "broken.toml"
    file.write_text(content)

    with pytest.raises(ConfigurationError, match="is not TOML"):
        load_settings(file)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """A named file must exist; the default one need not."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"public_url": "https://zoom.tidemark.example?"}, "public_url holds a : ? or #"),
        ({"public_url": "https://zoom.tidemark.example#"}, "public_url holds a : ? or #"),
        ({"public_url": "https://zoom.tidemark.example:"}, "public_url holds a : ? or #"),
        ({"public_url": "https://zoom.tidemark.example:443"}, "public_url names the default port"),
        ({"public_url": "https://zoom.tidemark.example:0"}, "public_url has port 0"),
        ({"public_url": "HTTPS://zoom.tidemark.example"}, "public_url must be in lower case"),
        ({"public_url": "https://0x7f.1"}, "public_url has a host that is not a valid name"),
        ({"public_url": "https://999.1.1.1"}, "public_url has a host that is not a valid name"),
        ({"start_url": "https://tidemark.example/s?"}, "start_url holds a : ? or #"),
        ({"client_secret": "${ZOOM_CLIENT_SECRET}"}, "client_secret looks like a placeholder"),
        ({"client_secret": "$(cat /run/zoom)aB3"}, "client_secret looks like a placeholder"),
        (
            {"client_secret": "ZOOM_TOKEN=kF93-2bXq0-Zr8sLpW"},
            "client_secret holds more than its value",
        ),
        ({"client_secret": "kF93-2bXq0-Zr8sLpW,"}, "client_secret holds more than its value"),
        ({"client_secret": "kF93-2bXq0-Zr8sLpW\\n"}, "client_secret holds more than its value"),
        ({"client_id": "AbCdEf123456;"}, "client_id holds more than its value"),
        ({"required_scopes": ["user:read,meeting:read"]}, "required_scopes[0] is not a scope"),
        ({"public_bind": "http://127.0.0.1:8000"}, "public_bind must be HOST:PORT"),
        ({"public_bind": "*:8000"}, "public_bind must be HOST:PORT"),
        ({"trusted_proxies": ["0.0.0.0/1", "128.0.0.0/1"]}, "trusted_proxies cover every address"),
        ({"trusted_proxies": ["::/1"]}, "trusted_proxies cover every address"),
        ({"trusted_proxies": ["::ffff:0:0/96"]}, "trusted_proxies[0] covers every address"),
        ({"events_url": "nats://127.0.0.1:4222/,one.internal"}, "events_url is not a URL"),
        ({"events_url": "tls://one.internal,nats://two.internal"}, "events_url is not a URL"),
        ({"events_url": "tls://one.internal\u0001"}, "events_url is not a URL"),
        ({"database_url": "postgresql:///db?service=far"}, "service is not supported"),
        ({"database_url": "postgresql:///db?sslmode=no"}, "database_url sslmode must be disable"),
        ({"app_name": "Tidemark\u001b[31m"}, "app_name holds control characters"),
        ({"receipts_folder": "/srv/\u0000x"}, "receipts_folder holds control characters"),
        ({"encryption_keys": None, "encryption_keys_file": "/srv/\u0000x"}, "holds a zero byte"),
        ({"event_retention": 10**18}, "event_retention: must be"),
        ({"CLIENT_SECRET": "kF93-2bXq0-Zr8sLpW"}, "CLIENT_SECRET: this is not a setting"),
    ],
)
def test_a_value_with_something_around_it_is_named(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    """A value that would be another one to browsers, Zoom or a library is one problem."""
    assert named in problems(tmp_path, **changes)


def test_a_proxy_named_by_its_mapped_address_is_trusted(tmp_path: Path) -> None:
    """An IPv4 network within IPv6 is the IPv4 network, as the addresses of peers are."""
    settings = load_settings(write(tmp_path, trusted_proxies=["::ffff:10.0.0.0/104"]))

    assert ["10.0.0.0/8"] == list(map(str, settings.trusted_proxies))
