"""Runs a command of `paraph` inside the test process: a start of its own costs half a second."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from paraph.cli.main import main
from paraph.logs import set_up_logs


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left.

    Attributes:
        code: its exit code.
        out: its output.
        err: its error output.
    """

    code: int
    out: str
    err: str


class _Stream(io.TextIOWrapper):
    def __init__(self, content: bytes = b"") -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8", write_through=True)

    def text(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


@contextlib.contextmanager
def _streams(content: bytes) -> Iterator[tuple[_Stream, _Stream]]:
    given, out, err = _Stream(content), _Stream(), _Stream()
    with (
        patch.object(sys, "stdin", given),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        yield out, err


def run_command(
    folder: Path, *words: str, content: bytes = b"", variables: Mapping[str, str] | None = None
) -> Done:
    """Run `paraph` with these words in a folder, as the console script does.

    Args:
        folder: the current directory.
        words: the arguments.
        content: the standard input.
        variables: environment variables, beside those that do not set paraph's settings.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith("PARAPH_")}
    code: object = 0
    with (
        contextlib.chdir(folder),
        patch.dict(os.environ, {**others, **(variables or {})}, clear=True),
        patch.object(sys, "argv", ["paraph", *words]),
        _streams(content) as (out, err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        finally:
            # The command's log goes to its error output, which ends with it.
            set_up_logs(stream=io.StringIO())
    assert isinstance(code, int)
    assert "Traceback" not in err.text()
    return Done(code, out.text(), err.text())
