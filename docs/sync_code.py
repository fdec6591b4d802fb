"""Writes the synchronous modules from the asynchronous ones, so that each call is described once.

A generated module has the same text with other names and without `await`; Ruff formats it.
`make docs` writes them, and a test compares them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "paraph"
# Each generated module with the module that it is generated from, and its summary.
MODULES: Mapping[str, tuple[str, str]] = {
    "calls/synchronous.py": (
        "calls/asynchronous.py",
        "The calls that `SyncZoom` and `Client` share.",
    ),
    "calls/synchronous_handle.py": (
        "calls/asynchronous_handle.py",
        "The handle of one installation, and the backend that carries its calls out.",
    ),
    "client/synchronous.py": ("client/asynchronous.py", "The synchronous client."),
}
_CHANGES: tuple[tuple[str, str], ...] = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAwaitable\[(\w+)\]", r"\1"),
    (r"\bAsync(\w+)", r"\1"),
    (r"__a(enter|exit)__", r"__\1__"),
    (r"\baclose\b", "close"),
    (r"\basynchronous", "synchronous"),
    (r"a program with an event loop", "a program without an event loop"),
    (r"for asyncio", "for synchronous programs"),
)


def synchronous(source: str, summary: str) -> str:
    """Return the text of a synchronous module.

    Args:
        source: the module that it is generated from, below the package.
        summary: the first line of its docstring.
    """
    _docstring, code = (PACKAGE / source).read_text(encoding="utf-8").split('"""\n', 1)
    for pattern, replacement in _CHANGES:
        code = re.sub(pattern, replacement, code)
    origin = f"Generated from `{source}` by `make docs`: change that file, not this one."
    return _formatted(f'"""{summary}\n\n{origin}\n"""\n{code}')


def modules() -> dict[Path, str]:
    """Every generated module, as it should read."""
    return {PACKAGE / made: synchronous(*source) for made, source in MODULES.items()}


def _formatted(text: str) -> str:
    for arguments in (
        ("check", "--fix-only", "--unsafe-fixes", "--select", "I,F401,UP028"),
        ("format",),
    ):
        ran = subprocess.run(  # noqa: S603 - Ruff of this environment, with these arguments only.
            [sys.executable, "-m", "ruff", *arguments, "--quiet", "--stdin-filename=src/x.py", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=PACKAGE.parents[1],
        )
        text = ran.stdout
    return text
