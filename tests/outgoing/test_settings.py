"""The settings of outgoing connections: problems are reported together and show no secret."""

from __future__ import annotations

import io
import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from outgoing.conftest import Authority
from paraph.errors import ConfigurationError
from paraph.outgoing.route import DIRECT, OutgoingRoute
from paraph.outgoing.settings import check_route
from paraph.sealing.encryption_key import new_encryption_key
from paraph.service.outgoing_log import log_route
from paraph.settings.loading import load_key_service, load_settings
from paraph.settings.model import Settings
from private_file import write_private

SECRET = "9sWq2-p4ss"
PROXY = f"http://paraph:{SECRET}@proxy.internal:3128"
GOOD: dict[str, Any] = {
    "client_id": "AbCdEf123456",
    "client_secret": "kF93-2bXq0-Zr8sLpW",
    "webhook_secrets": ["hN71_0cYwe-Ty6dRmVq"],
    "public_url": "https://zoom.tidemark.example",
    "encryption_keys": [new_encryption_key()],
    "linking": "none",
}


def load(folder: Path, **changes: Any) -> Settings:
    """Good settings with changes."""
    return load_settings(written(folder, **changes))


def written(folder: Path, **changes: Any) -> Path:
    """Their file."""
    lines = (f"{name} = {json.dumps(value)}" for name, value in {**GOOD, **changes}.items())
    return write_private(folder / "settings.toml", "\n".join(lines))


def problems(folder: Path, **changes: Any) -> list[str]:
    """Everything that is wrong with changed settings."""
    with pytest.raises(ConfigurationError) as caught:
        load(folder, **changes)
    assert SECRET not in str(caught.value) + repr(caught.value.problems)
    return list(caught.value.problems)


def test_connections_are_direct_unless_settings_say_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable of another program makes a route."""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    assert DIRECT == load(tmp_path).outgoing


def test_the_route_of_settings_reaches_the_key_service_too(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxy, bypass list and file are read; nothing that is printed holds the password."""
    monkeypatch.setenv("PARAPH_OUTGOING_PROXY", PROXY)
    monkeypatch.setenv("PARAPH_OUTGOING_PROXY_BYPASS", '["Vault.internal", "10.0.0.0/8"]')
    file = written(
        tmp_path,
        ca_file=authority.file,
        key_service_url="https://vault.internal:8200",
        key_service_token="hvs.a-token-of-vault",
    )
    settings = load_settings(file)
    route = settings.outgoing
    assert ("http://proxy.internal:3128", ("vault.internal", "10.0.0.0/8"), authority.file) == (
        str(route.proxy),
        route.bypass,
        route.ca_file,
    )
    assert settings.key_service is not None
    assert route == settings.key_service.route
    key_service = load_key_service(file)
    assert key_service is not None
    assert route == key_service.route
    assert SECRET not in repr(settings)


def test_every_problem_is_reported_with_the_others(tmp_path: Path) -> None:
    """A proxy, an entry of the list and a file that cannot be used, beside another setting."""
    found = problems(
        tmp_path,
        client_secret="short",
        outgoing_proxy=PROXY.replace("http:", "https:"),
        outgoing_proxy_bypass=["*.internal", "vault.internal"],
        ca_file="/nowhere/ca.pem",
    )
    assert [
        "client_secret",
        "outgoing_proxy",
        "outgoing_proxy_bypass[0]",
        "ca_file",
    ] == sorted(
        (one.partition(" ")[0].strip(":") for one in found),
        key=["client_secret", "outgoing_proxy", "outgoing_proxy_bypass[0]", "ca_file"].index,
    )
    with pytest.raises(ConfigurationError, match="ca_file"):
        load_key_service(written(tmp_path, ca_file="/nowhere/ca.pem"))


def test_a_bypass_list_without_a_proxy_is_a_problem(tmp_path: Path) -> None:
    """It would do nothing, and perhaps the proxy was forgotten."""
    found = problems(tmp_path, outgoing_proxy_bypass=["vault.internal"])
    assert ["outgoing_proxy_bypass is set without outgoing_proxy"] == [
        one.partition(":")[0] for one in found
    ]


def test_a_file_without_certificates_is_named(tmp_path: Path, authority: Authority) -> None:
    """Nothing, text, DER, a key, a broken certificate, a folder, a zero byte: each is named."""
    pem = Path(authority.file).read_text()
    contents = {
        "empty": b"",
        "text": b"hello",
        "der": ssl.PEM_cert_to_DER_cert(pem),
        "key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "broken": pem.replace("M", "!", 40).encode(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        _, found = check_route(proxy="", bypass=(), ca_file=str(tmp_path / name))
        assert 1 == len(found), name
        assert f"ca_file: {tmp_path / name} is not a PEM file of certificates" in found[0]
    for path, words in (
        (str(tmp_path), "cannot be read"),
        (str(tmp_path / "nothing"), "cannot be read: No such file"),
        ("a\0b", "zero byte"),
    ):
        _, found = check_route(proxy="", bypass=(), ca_file=path)
        assert words in found[0], found


def test_a_settings_file_with_a_proxys_password_is_private(tmp_path: Path) -> None:
    """It holds a secret like any other, so nobody else may read the file."""
    file = tmp_path / "paraph.toml"
    file.write_text(f'outgoing_proxy = "{PROXY}"\n')
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_settings(file)


def test_the_log_says_how_connections_leave(authority: Authority, log: io.StringIO) -> None:
    """The route without credentials; and once which variables have no effect, without values."""
    log_route(DIRECT, {"PATH": "/bin"})
    assert "" == log.getvalue()
    log_route(DIRECT, {"HTTPS_PROXY": PROXY, "SSL_CERT_FILE": "/x"})
    said = log.getvalue()
    assert (True, 1) == ("outgoing.environment_ignored" in said, said.count("\n"))
    for name in ("HTTPS_PROXY", "SSL_CERT_FILE", "outgoing_proxy", "ca_file"):
        assert name in said
    route, _ = check_route(proxy=PROXY, bypass=(), ca_file=authority.file)
    log_route(route, {"HTTPS_PROXY": PROXY, "SSL_CERT_FILE": "/x"})
    told = log.getvalue().removeprefix(said)
    assert "outgoing.route" in told
    assert "http://proxy.internal:3128" in told
    assert SECRET not in said + told


def test_a_route_compares_by_its_values() -> None:
    """Settings that were read twice are the same route."""
    assert OutgoingRoute() == DIRECT
