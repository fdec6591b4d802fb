"""What others published, installed from pinned lists into `.interoperability/`.

The first run installs; later runs find what is there. A changed list makes a new folder.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
KEPT = HERE.parents[1] / ".interoperability"
_ATTEMPTS = 3


class NotInstalledError(Exception):
    """A registry cannot be reached, or a program is missing."""


def python_environment(*pinned: Path, folder: Path, python: str = sys.executable) -> Path:
    """The interpreter of a virtual environment with exactly these packages."""
    interpreter = folder / "bin" / "python"
    if not (folder / ".installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _install([python, "-m", "venv", str(folder)])
        quiet = ("--quiet", "--disable-pip-version-check", "--require-hashes")
        binary = "--only-binary=:all:"
        lists = [word for one in pinned for word in ("-r", str(one))]
        _install([str(interpreter), "-m", "pip", "install", *quiet, binary, *lists])
        (folder / ".installed").touch()
    return interpreter


def node_folder(source: Path, *scripts: str) -> Path:
    """A folder with the packages of a lock file, and our scripts beside them."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NotInstalledError("node and npm are not installed")
    folder = KEPT / f"{source.name}-{digest(source / 'package-lock.json')}"
    if not (folder / ".installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(source / name, folder)
        _install(["npm", "ci", "--silent"], cwd=folder)
        (folder / ".installed").touch()
    for pattern in scripts or ("*.?js",):
        for script in source.glob(pattern):
            shutil.copy(script, folder)
    return folder


def digest(file: Path) -> str:
    """Tells one list from another."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def _install(command: list[str], cwd: Path | None = None) -> None:
    """Install what is pinned with hashes: only a registry that is away can make it fail."""
    said = ""
    for _ in range(_ATTEMPTS):
        try:
            done = subprocess.run(
                command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
            )
        except subprocess.TimeoutExpired:
            said = "the registry does not answer"
            continue
        if done.returncode == 0:
            return
        said = (done.stderr or done.stdout)[-300:]
    raise NotInstalledError(said)
