"""The command that messages print to be run."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from paraph.cli.invocation import own_command


def script(folder: Path, name: str = "paraph") -> Path:
    """An executable of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text("#!/bin/sh\necho here\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an interpreter that has no script beside it."""
    folder = tmp_path / "my app"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("sys.executable", str(folder / "python" / "python3"))
    return folder


def started_as(monkeypatch: pytest.MonkeyPatch, file: Path) -> str:
    """The command of a program that was started as that file."""
    monkeypatch.setattr("sys.argv", [str(file), "demo"])
    return own_command()


def test_a_script_below_this_folder_is_named_by_its_relative_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make demo` runs .venv/bin/paraph, which is not on PATH."""
    file = script(folder / ".venv" / "bin")

    assert ".venv/bin/paraph" == started_as(monkeypatch, Path(".venv/bin/paraph"))
    assert ".venv/bin/paraph" == started_as(monkeypatch, file)


def test_a_script_on_path_is_named_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell finds it, unless it finds another one first."""
    file = script(folder / "bin")
    monkeypatch.setenv("PATH", f"{file.parent}:/usr/bin:/bin")
    assert "paraph" == started_as(monkeypatch, file)

    other = script(folder / "other")
    monkeypatch.setenv("PATH", f"{other.parent}:{file.parent}:/usr/bin:/bin")
    assert "bin/paraph" == started_as(monkeypatch, file)


def test_a_path_is_quoted_for_the_shell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The printed words run the script, wherever it is."""
    here = script(folder)
    assert "./paraph" == started_as(monkeypatch, here)
    far = script(folder.parent / "some where")
    assert [str(far)] == shlex.split(started_as(monkeypatch, far))
    for file in (here, far):
        done = subprocess.run(
            started_as(monkeypatch, file), shell=True, capture_output=True, text=True, check=True
        )
        assert "here\n" == done.stdout


def test_a_module_run_names_the_script_beside_the_interpreter_or_the_module(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m paraph` has no script of its own."""
    module = folder / "paraph" / "__main__.py"
    assert f"python/{Path(sys.executable).name} -m paraph" == started_as(monkeypatch, module)
    script(folder / "python")
    assert "python/paraph" == started_as(monkeypatch, module)
