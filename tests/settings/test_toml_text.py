"""TOML files of any content are values, or one line that says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from paraph.checks.target import load_target
from paraph.errors import ConfigurationError
from paraph.settings.model import load_settings
from paraph.settings.toml_text import parse_toml
from paraph.simulator.state.world import load_world

BROKEN = {
    "UTF-16": "name = 1".encode("utf-16"),
    "Latin-1": b"name = '\xe9'",
    "deep": b"name = " + b"[" * 5000,
    "digits": b"name = " + b"9" * 5000,
    "no value": b"name = kF93-2bXq0-Zr8sLpW",
}


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
