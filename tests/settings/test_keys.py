from __future__ import annotations

from pathlib import Path

import pytest

from paraph.sealing.encryption_key import new_encryption_key
from paraph.settings.keys import KeySource, check_keys, check_service, read_private_lines

WRAPPED = "ab12:vault:v1:" + "A" * 40


def source(*keys: str, **changes: str) -> KeySource:
    """Settings as they are written."""
    values = {
        "encryption_keys_file": "",
        "service_url": "",
        "service_mount": "transit",
        "service_key": "paraph",
        "service_token": "",
        "service_token_file": "",
        "service_ca_file": "",
        **changes,
    }
    return KeySource(keys, **values)


def private_file(folder: Path, text: str, mode: int = 0o600) -> str:
    """A file with a mode."""
    path = folder / "keys"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_file_holds_a_key_a_line(tmp_path: Path) -> None:
    """Newest first, with empty lines and remarks between them."""
    one, two = new_encryption_key(), new_encryption_key()
    file = private_file(tmp_path, f"# newest\n{one}\n\n  {two}\n")

    keys, problems = check_keys(source(encryption_keys_file=file))

    assert ([one, two], []) == ([key.reveal() for key in keys], problems)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """By group or others, for anything; what to do about it is said, and no key comes out."""
    file = private_file(tmp_path, new_encryption_key(), mode)

    keys, problems = check_keys(source(encryption_keys_file=file))

    assert ((), 1) == (keys, len(problems))
    assert f"(mode {mode:04o}): run chmod 600 {file}" in problems[0]


def test_a_file_that_is_not_there_or_empty_is_named(tmp_path: Path) -> None:
    """With the setting's name and the file's."""
    file = str(tmp_path / "none")
    assert [f"a_file: {file} cannot be read: No such file or directory"] == read_private_lines(
        "a_file", file
    )[1]
    empty = private_file(tmp_path, "# nothing\n")
    assert [f"a_file: {empty} is empty"] == read_private_lines("a_file", empty)[1]


def test_keys_come_from_one_place(tmp_path: Path) -> None:
    """Which of two lists would be the newer one?"""
    file = private_file(tmp_path, new_encryption_key())

    _, problems = check_keys(source(new_encryption_key(), encryption_keys_file=file))

    assert ["give encryption_keys or encryption_keys_file, not both"] == problems


def test_a_wrapped_key_needs_its_service() -> None:
    """Nothing starts that could not be unwrapped."""
    assert 1 == len(check_keys(source(WRAPPED))[1])
    assert [] == check_keys(source(WRAPPED, service_url="https://vault"))[1]


def test_a_key_service_is_checked_whole(tmp_path: Path) -> None:
    """Every problem at once: no token, bad names, no CA file."""
    bad = source(
        service_url="https://vault",
        service_mount="a/b",
        service_key="../x",
        service_ca_file=str(tmp_path / "none"),
    )

    assert 4 == len(check_service(bad)[1])
    assert (None, []) == check_service(source())


def test_the_token_may_stand_in_a_private_file(tmp_path: Path) -> None:
    """As an agent writes it; read by others it is refused like the keys are."""
    file = private_file(tmp_path, "hvs.token-of-an-agent\n")
    service, problems = check_service(source(service_url="https://v", service_token_file=file))
    assert service is not None
    assert ("hvs.token-of-an-agent", []) == (service.token.reveal(), problems)

    Path(file).chmod(0o640)
    assert check_service(source(service_url="https://v", service_token_file=file))[1]
