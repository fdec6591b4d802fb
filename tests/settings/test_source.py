"""Accidents of a deployment are named, each with every other problem of the settings."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from paraph.checks.target import load_target
from paraph.errors import ConfigurationError
from paraph.sealing.encryption_key import new_encryption_key
from paraph.settings.loading import load_settings
from paraph.settings.model import Settings
from paraph.settings.source import current_names, parse_toml
from paraph.simulator.state.world import load_world
from private_file import write_private

SECRET = "kF93-2bXq0-Zr8sLpW"
GOOD: dict[str, Any] = {
    "client_id": "AbCdEf123456",
    "client_secret": SECRET,
    "webhook_secrets": ["hN71_0cYwe-Ty6dRmVq"],
    "public_url": "https://zoom.tidemark.example",
    "encryption_keys": [new_encryption_key()],
    "linking": "none",
}

BROKEN = {
    "UTF-16": "name = 1".encode("utf-16"),
    "Latin-1": b"name = '\xe9'",
    "deep": b"name = " + b"[" * 5000,
    "digits": b"name = " + b"9" * 5000,
    "no value": b"name = kF93-2bXq0-Zr8sLpW",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder without a paraph.toml."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def toml(**changes: Any) -> str:
    """The good settings with changes; None leaves a setting out."""
    values = {k: v for k, v in {**GOOD, **changes}.items() if v is not None}
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())


def loaded(folder: Path, **changes: Any) -> Settings:
    """The settings of a file."""
    return load_settings(write_private(folder / "settings.toml", toml(**changes)))


def problems(folder: Path, **changes: Any) -> list[str]:
    """The problems with a file."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(folder, **changes)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (f'"{SECRET}"', "is in quotes"),
        (f"'{SECRET}'", "is in quotes"),
        (f"`{SECRET}`", "is in quotes"),
        (f"\u201c{SECRET}\u201d", "is in quotes"),
        (f'"{SECRET}', "begins or ends with a quote"),
        (f"{SECRET}'", "begins or ends with a quote"),
        (f"{SECRET}\n", "holds spaces or a line end"),
        (f"{SECRET}\r\n", "holds spaces or a line end"),
        (f" {SECRET}", "holds spaces or a line end"),
        (f"{SECRET}\t", "holds spaces or a line end"),
        (f"\ufeff{SECRET}", "holds spaces or a line end"),
        (f"{SECRET}\u00a0", "holds spaces or a line end"),
    ],
)
def test_what_was_pasted_around_a_secret_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, said: str
) -> None:
    """A quote, a blank or a line end would be part of every signature: one line, no value."""
    in_file = problems(tmp_path, client_secret=written)
    assert [f"client_secret {said}"] == [one[: len(f"client_secret {said}")] for one in in_file]
    entry = problems(tmp_path, webhook_secrets=["hN71_0cYwe-Ty6dRmVq", written])[0]
    assert entry.startswith(f"webhook_secrets[1] {said}")
    monkeypatch.setenv("PARAPH_CLIENT_SECRET", written)
    (in_variable,) = problems(tmp_path)
    assert in_variable.startswith(f"client_secret {said}")
    assert SECRET not in in_variable + "".join(in_file)


def test_quotes_in_a_name_for_people_are_meant(tmp_path: Path) -> None:
    """The name of the app is text, and no secret or address."""
    assert 'The "Best" app "ever"' == loaded(tmp_path, app_name='The "Best" app "ever"').app_name


def test_a_quoted_value_is_checked_too(tmp_path: Path) -> None:
    """The quotes hide no other problem of a value."""
    said = problems(tmp_path, client_secret='"short"', public_url="'http://tidemark.example'")
    assert any(one.startswith("client_secret is shorter") for one in said)
    assert any(one.startswith("public_url is plain http") for one in said)
    assert 4 == len(said)


@pytest.mark.parametrize(
    "written", ["abc", "abc,def", "", '["abc",]', "['abc']", '"abc"', "{}", "[" * 100_000]
)
def test_a_list_that_is_not_json_says_how_to_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """One line for the variable, together with all other problems, and never its value."""
    monkeypatch.setenv("PARAPH_WEBHOOK_SECRETS", written)
    said = problems(tmp_path, webhook_secrets=None, client_secret="short")
    assert (
        "webhook_secrets: PARAPH_WEBHOOK_SECRETS is not a JSON list: "
        """write PARAPH_WEBHOOK_SECRETS=["first","second"], within '…' in a shell""" == said[0]
    )
    assert ["client_secret is shorter than 12 characters"] == said[1:]


def test_a_list_in_quotes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell takes quotes away, docker --env-file keeps them."""
    monkeypatch.setenv("PARAPH_REQUIRED_SCOPES", """'["user:read:user"]'""")
    (said,) = problems(tmp_path)
    assert said.startswith("required_scopes: PARAPH_REQUIRED_SCOPES has quotes or spaces around")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PARAPH_FAST_PATH", "maybe", "fast_path: must be true or false"),
        ("PARAPH_FRESHNESS_PAST", "2h", "freshness_past: must be a whole number"),
        ("PARAPH_FRESHNESS_PAST", "7200.5", "freshness_past: must be a whole number"),
        ("PARAPH_FRESHNESS_PAST", "1", "freshness_past: must be at least 300 and at most 86400"),
        ("PARAPH_LEVEL", "tenant", 'level: must be "user" or "account"'),
        ("PARAPH_WEBHOOK_SECRETS", "[1]", "webhook_secrets[0]: must be text in quotes"),
        ("PARAPH_WEBHOOK_ROTATION_UNTIL", "2026-12-01T12:00", "webhook_rotation_until: must be a"),
        ("PARAPH_WEBHOOK_ROTATION_UNTIL", "tomorrow", "webhook_rotation_until: must be a time"),
        ("PARAPH_APP_NAME", "x" * 81, "app_name: is too long"),
        ("PARAPH_PUBLIC_URL", "https://zoom.tidemark.example,", "public_url has a host that is"),
        ("PARAPH_PUBLIC_URL", "https://u:p@tidemark.example", "public_url must hold no cred"),
        ("PARAPH_PUBLIC_URL", "https://tidemark.example?x=1", "public_url must be an origin"),
        ("PARAPH_API_SERVERS", '["https://api.zoom.us/v2"]', "api_servers[0] must be an origin"),
    ],
)
def test_a_value_of_another_type_says_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    """One line that names the setting and the right form."""
    monkeypatch.setenv(variable, value)
    (found,) = problems(tmp_path)
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"webhook_secret": ["x"]},
            "webhook_secret: this is not a setting; is webhook_secrets meant?",
        ),
        ({"skip_state_check": True}, "skip_state_check: this is not a setting: remove it"),
        ({"client_id": 5}, 'client_id: must be text in quotes, like "text"'),
        ({"required_scopes": "user:read:user"}, 'required_scopes: must be a list, like ["first"'),
        ({"required_scopes": ["a:b", "a:b"]}, "required_scopes[1] repeats required_scopes[0]"),
        ({"webhook_secrets": [SECRET[::-1]] * 2}, "webhook_secrets[1] repeats webhook_secrets[0]"),
        ({"encryption_keys": GOOD["encryption_keys"] * 2}, "encryption_keys[1] repeats encryption"),
        (
            {"encryption_keys": ["a" + new_encryption_key()[8:], "a" + new_encryption_key()[8:]]},
            "encryption_keys[1] repeats the key id of encryption_keys[0]",
        ),
    ],
)
def test_a_file_with_a_slip_says_what_is_meant(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    """Unknown names, wrong types and doubled entries: one line each."""
    (found,) = problems(tmp_path, **changes)
    assert found.startswith(said)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o640, 0o660, 0o602, 0o777])
def test_a_file_with_secrets_is_its_owners_alone(tmp_path: Path, mode: int) -> None:
    """A file that others can read or change is named with the command that closes it."""
    file = write_private(tmp_path / "paraph.toml", toml())
    file.chmod(mode)
    for named in (file, None):
        with pytest.raises(ConfigurationError) as caught:
            load_settings(named)
        (said,) = caught.value.problems
        assert f"can be read or changed by others (mode {mode:04o}): run chmod 600" in said
    file.chmod(0o400)
    assert load_settings(file).client_id == GOOD["client_id"]


@pytest.mark.parametrize(
    ("text", "is_private"),
    [
        ('level = "user"', False),
        ('database_url = "postgresql:///paraph?host=/run/postgresql"', False),
        ('database_url = "postgresql://paraph:pw@127.0.0.1/paraph"', True),
        ('database_url = "postgresql://127.0.0.1/paraph?user=a&password=pw"', True),
        ('database_url = "postgres://127.0.0.1/paraph?sslpassword=pw"', True),
        ('key_service_token = "s.abcdefgh"', True),
        ('webhook_secrets = ["a"]', True),
        ("webhook_secrets = []", False),
    ],
)
def test_a_file_without_secrets_may_be_read(tmp_path: Path, text: str, *, is_private: bool) -> None:
    """A file counts as secret for what is in it, passwords in URLs included."""
    file = tmp_path / "settings.toml"
    file.write_text(text)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file)
    assert is_private is any("chmod 600" in one for one in caught.value.problems)


def test_a_file_that_root_gives_to_a_group_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """root:service with mode 0640 is how a service reads what it cannot change."""
    file = write_private(tmp_path / "paraph.toml", toml())
    file.chmod(0o640)
    other = os.geteuid() + 1
    monkeypatch.setattr("paraph.settings.source.os.geteuid", lambda: other)
    assert load_settings(file).client_id == GOOD["client_id"]
    monkeypatch.setattr("paraph.settings.source.os.getegid", lambda: file.stat().st_gid + 1)
    monkeypatch.setattr("paraph.settings.source.os.getgroups", list)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_settings(file)


def test_everything_is_reported_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mode, variable, name, type, quotes, database, stream and cloud in one go."""
    monkeypatch.setenv("PARAPH_FORWARD_SECRETS", "abc")
    monkeypatch.setenv("PARAPH_REQUIRED_SCOPE", "[]")
    text = toml(
        client_secret=f'"{SECRET}"',
        freshness_past="x",
        public_url="https://Tidemark.example/x",
        database_url="postgresql://paraph@db.internal/paraph",
        events_url="nats://stream.internal",
        authorization_server="https://zoomgov.com",
        api_servers=["https://api.zoom.us"],
    )
    file = tmp_path / "paraph.toml"
    file.write_text(text)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    said = "\n".join(caught.value.problems)
    for part in (
        "chmod 600",
        "PARAPH_FORWARD_SECRETS is not a JSON list",
        "is required_scopes meant?",
        "client_secret is in quotes",
        "freshness_past: must be a whole number",
        "public_url must be in lower case",
        "database_url leads to another machine without TLS",
        "events_url leads to another machine without TLS",
        "api_servers[0] belongs to Zoom's commercial cloud",
    ):
        assert part in said, part
    assert 9 == len(caught.value.problems)


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("load", [load_settings, load_target, load_world])
def test_a_broken_file_is_one_problem_without_its_content(
    tmp_path: Path, load: object, content: bytes
) -> None:
    """Settings, target files and worlds are refused alike, and nothing of them is repeated."""
    file = tmp_path / "file.toml"
    file.write_bytes(content)

    assert callable(load)
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    (problem,) = caught.value.problems
    assert str(file) in problem
    assert "kF93" not in problem


def test_a_byte_order_mark_is_dropped() -> None:
    """Editors of Windows write a mark and two characters at the end of a line."""
    assert {"name": 1, "other": 2} == parse_toml(b"\xef\xbb\xbfname = 1\r\nother = 2\r\n")


def test_a_former_name_of_a_setting_is_still_read() -> None:
    """For one version; the current name wins where both are written."""
    assert {"fast_path": False, "level": "user"} == current_names(
        {"fast_lane": False, "level": "user"}
    )
    assert {"fast_path": True} == current_names({"fast_path": True, "fast_lane": False})


@pytest.mark.parametrize("where", ["file", "variable"])
def test_fast_lane_turns_the_fast_path_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The former name works in the file and as a variable."""
    more = {"fast_lane": False} if where == "file" else {}
    if where == "variable":
        monkeypatch.setenv("PARAPH_FAST_LANE", "false")
    assert not loaded(tmp_path, **more).fast_path
