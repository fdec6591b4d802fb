"""Target files."""

from __future__ import annotations

from pathlib import Path

import pytest

from paraph.checks.target import load_target
from paraph.errors import ConfigurationError

TEXT = """
name = "app"
start = { command = ["app"], patience = 9.0 }
urls = { redirect = "/redirect" }
limits = { hands_on_unknown_events = true }
"""


def test_an_old_name_of_a_setting_works_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A renamed setting keeps its old name for one version, and a note says the new one."""
    file = tmp_path / "app.toml"
    file.write_text(TEXT, "utf-8")

    target = load_target(file)

    assert (9.0, True) == (target.start.ready_within, target.limits.forwards_unknown_events)
    notes = capsys.readouterr().err
    assert "[start] patience is now called ready_within" in notes
    assert "[limits] hands_on_unknown_events is now called forwards_unknown_events" in notes


def test_the_new_name_of_a_setting_needs_no_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file with the new names loads silently."""
    file = tmp_path / "app.toml"
    new = TEXT.replace("patience", "ready_within").replace("hands_on", "forwards")
    file.write_text(new, "utf-8")

    assert 9.0 == load_target(file).start.ready_within
    assert "" == capsys.readouterr().err


def test_a_port_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """A port above 65535 is a problem of the file, named with its place."""
    file = tmp_path / "app.toml"
    file.write_text(f"{TEXT}zoom = {{ port = 65536 }}\n", "utf-8")
    with pytest.raises(ConfigurationError, match=r"zoom\.port"):
        load_target(file)
