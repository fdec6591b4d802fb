"""The command that started this program, for messages that name a command to run."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

_PROGRAM = "paraph"


def own_command() -> str:
    """Return the command that starts this program from the current folder, quoted for a shell.

    This is `paraph` if the shell finds it, else the path of the script, else `python -m paraph`.
    """
    script = _script()
    if script is None:
        return f"{_shown(Path(sys.executable))} -m {_PROGRAM}"
    found = shutil.which(_PROGRAM)
    if found is not None and script.samefile(found):
        return _PROGRAM
    return _shown(script)


def _script() -> Path | None:
    # The script may also be in the interpreter's folder if `python -m paraph` was typed.
    for candidate in (Path(sys.argv[0]), Path(sys.executable).with_name(_PROGRAM)):
        if candidate.name == _PROGRAM and candidate.is_file():
            return candidate.absolute()
    return None


def _shown(file: Path) -> str:
    """Return a path as typed in the current folder: relative below it, else absolute."""
    file = file.absolute()
    folder = Path.cwd()
    if not file.is_relative_to(folder):
        return shlex.quote(str(file))
    relative = file.relative_to(folder)
    # The shell would search PATH for a name without a slash.
    return shlex.quote(f"./{relative}" if len(relative.parts) == 1 else str(relative))
