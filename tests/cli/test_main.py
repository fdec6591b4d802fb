"""Errors of the system are lines, not tracebacks."""

from __future__ import annotations

import errno
import io
import os
import sys

import pytest

from paraph.cli.main import app, main


class _FullDisk(io.StringIO):
    """Output to a disk without room."""

    def write(self, text: str, /) -> int:
        """Nothing can be written."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_one_line_and_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Output that cannot be written ends the command with 2: 1 means a finding."""
    monkeypatch.setattr(sys, "argv", ["paraph", "--version"])
    monkeypatch.setattr(sys, "stdout", _FullDisk())
    with pytest.raises(SystemExit) as ended:
        main()
    said, remedy = capsys.readouterr().err.splitlines()

    assert 2 == ended.value.code
    assert "paraph: No space left on device" == said
    assert remedy.startswith("paraph: Free disk space")


def test_an_error_of_our_own_is_one_line_without_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No stack trace, code 2, the kind and the place; the text of the error may hold a secret."""

    def broken(**_options: object) -> None:
        raise LookupError("kF93-2bXq0-Zr8sLpW")

    monkeypatch.setattr(sys, "argv", ["paraph"])
    monkeypatch.setattr(app, "main", broken)
    with pytest.raises(SystemExit) as ended:
        main()
    said, remedy = capsys.readouterr().err.splitlines()

    assert 2 == ended.value.code
    assert said.startswith("paraph: an error in paraph itself: LookupError at cli/main.py:")
    assert remedy.startswith("paraph: Report these two lines")
