"""Errors of the system are lines, not tracebacks."""

from __future__ import annotations

import errno
import io
import os
import sys

import pytest

from paraph.cli.main import main


class _FullDisk(io.StringIO):
    """Output to a disk without room."""

    def write(self, text: str, /) -> int:
        """Nothing can be written."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_one_line_and_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Output that cannot be written ends the command with 1."""
    monkeypatch.setattr(sys, "argv", ["paraph", "--version"])
    monkeypatch.setattr(sys, "stdout", _FullDisk())
    with pytest.raises(SystemExit) as ended:
        main()
    said, remedy = capsys.readouterr().err.splitlines()

    assert 1 == ended.value.code
    assert "paraph: No space left on device" == said
    assert remedy.startswith("paraph: Free disk space")
