"""Published OAuth kits as targets of `paraph check`: where they are installed, and what is run.

Each kit is set up as its own documentation shows it (`kits/*.mjs`, `kits/*.py`); its target file
stands beside it. The kits know Zoom's real addresses: the check stands in for them
(`impersonate`), for the kit's process alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from interoperability.environments import (
    HERE,
    NotInstalledError,
    digest,
    node_folder,
    python_environment,
)
from paraph.checks.harness.impersonation import demand_possible
from paraph.checks.runner import Run, run
from paraph.checks.target import load_target
from paraph.errors import ConfigurationError

# In the order of the report: Zoom's kit, three login libraries, an app framework, a dependency.
KITS = ("rivet", "passport", "authlib", "authjs", "allauth", "httpx_oauth")


def kits_folder() -> Path:
    """A folder with the Node kits, the Python kits below `python/`, hosts and target files."""
    try:
        demand_possible()
    except ConfigurationError as error:
        raise NotInstalledError("; ".join(error.problems)) from None
    source = HERE / "kits"
    folder = node_folder(source, "*.mjs", "*.py", "*.toml")
    pinned = source / "requirements.txt"
    interpreter = python_environment(pinned, folder=folder / f"python-{digest(pinned)}")
    # Commands of target files are looked for here.
    current = folder / "bin"
    current.unlink(missing_ok=True)
    current.symlink_to(interpreter.parent)
    return folder


@contextmanager
def in_kits(folder: Path) -> Iterator[None]:
    """Commands of target files are found, and run, in the kits' folder."""
    before, path = Path.cwd(), os.environ["PATH"]
    os.chdir(folder)
    os.environ["PATH"] = f"{folder / 'bin'}{os.pathsep}{path}"
    try:
        yield
    finally:
        os.chdir(before)
        os.environ["PATH"] = path


def check(kit: str, ids: Sequence[str]) -> Run:
    """Run cases against one kit."""
    return run(load_target(Path(f"{kit}.toml")), ids, told=lambda _finding: None)
