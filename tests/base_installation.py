"""Code run as in the base installation: of the third-party packages only click can be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

_BLOCK = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout

class OnlyBase:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {"click", "paraph", *sys.stdlib_module_names}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, OnlyBase())
"""
_COMMANDS = """
from paraph.cli.main import main

found = []
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = words
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    for stream in (out, err):
        stream.flush()
    found.append((code, *(stream.buffer.getvalue().decode() for stream in (out, err))))
print(json.dumps(found))
"""
_IMPORTS = """
found = []
for code in json.loads(sys.argv[1]):
    try:
        exec(code, {})
        found.append("")
    except Exception as error:
        found.append(f"{type(error).__name__}: {error}")
print(json.dumps(found))
"""


class Ended(NamedTuple):
    """The end of a command: its exit code, and what it printed."""

    code: int
    out: str
    err: str


def run_commands(folder: Path, commands: Sequence[Sequence[str]]) -> list[Ended]:
    """Run `paraph` with each of these lists of words, in one process."""
    ended: list[tuple[int, str, str]] = _run(folder, _COMMANDS, commands)
    return [Ended(*one) for one in ended]


def run_imports(folder: Path, lines: Sequence[str]) -> list[str]:
    """Run each line of code; return the text of its exception, or "" where it raised none."""
    raised: list[str] = _run(folder, _IMPORTS, lines)
    return raised


def _run(folder: Path, code: str, work: Sequence[object]) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", _BLOCK + code, json.dumps(work)],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("PARAPH_")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])
