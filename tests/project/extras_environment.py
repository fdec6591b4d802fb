"""Empty virtual environments, each with the wheel of this checkout and one extra."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from programs import skip_test
from project.part_imports import ROOT

EXAMPLES = Path(__file__).with_name("extras_examples")
# A pinned version with the Pythons that it is for, without its hashes.
_PINNED = re.compile(r"^[a-z0-9._-]+==[^\\\n]+", re.MULTILINE)
# The statement that is timed for each extra; "" is the base installation.
IMPORTS: Mapping[str, str] = {
    "": "import paraph.webhooks",
    "installs": "from paraph.installs import InstallFlow",
    "client": "import paraph.client",
    "simulator": "import paraph.simulator.app",
    "check": "import paraph.checks.runner",
    "service": "from paraph import Zoom",
    "postgres": "from paraph import Zoom; import asyncpg",
    "nats": "from paraph import Zoom; import paraph.events.jetstream",
    "django": "from paraph import Zoom; import django",
    "flask": "from paraph import Zoom; import flask",
    "all": "from paraph import Zoom",
}
_RUNS = 5


@dataclass(frozen=True, slots=True)
class Installed:
    """A virtual environment with one extra.

    Attributes:
        extra: the extra; "" for the base installation.
        folder: the folder of the environment.
    """

    extra: str
    folder: Path

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return self.folder / "bin" / "python"

    @property
    def _packages(self) -> Path:
        return next((self.folder / "lib").glob("python3.*/site-packages"))

    def distributions(self) -> list[str]:
        """Return the names of all installed distributions, paraph among them."""
        return sorted(
            one.name.partition("-")[0].lower().replace("_", "-")
            for one in self._packages.glob("*.dist-info")
        )

    def megabytes(self) -> float:
        """Return the size of the installed files, without bytecode."""
        files = (path for path in self._packages.rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files if path.suffix != ".pyc") / 1e6

    def run(self, *words: str, folder: Path, **variables: str) -> str:
        """Run the interpreter of the environment; return what it printed.

        Raises:
            AssertionError: it failed.
        """
        done = subprocess.run(
            [self.python, *words],
            cwd=folder,
            env={**_environment(), "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
            | variables,
            capture_output=True,
            check=False,
            text=True,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout

    def import_seconds(self) -> float:
        """Return the CPU time of the import of the part, the shortest of some runs."""
        code = "import time; start = time.process_time(); {}; print(time.process_time() - start)"
        runs = (
            self.run("-c", code.format(IMPORTS[self.extra]), folder=self.folder)
            for _ in range(_RUNS)
        )
        return min(float(one) for one in runs)


def _environment() -> dict[str, str]:
    dropped = ("PARAPH_", "PYTHON", "VIRTUAL_ENV")
    return {name: text for name, text in os.environ.items() if not name.startswith(dropped)}


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout into a folder."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def install(wheel: Path, extra: str, folder: Path) -> Installed:
    """Create an environment and install the wheel with an extra, at the pinned versions.

    Raises:
        AssertionError: the installation failed.
    """
    environment = Installed(extra, folder / (extra or "base"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment.folder], check=True)
    add(environment, f"paraph[{extra}] @ {wheel.as_uri()}" if extra else str(wheel))
    return environment


def add(environment: Installed, *requirements: str) -> None:
    """Install more into an environment. The running test is skipped where no index can be reached.

    Raises:
        AssertionError: the installation failed.
    """
    pins = environment.folder / "constraints.txt"
    text = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    pins.write_text("\n".join(_PINNED.findall(text)), encoding="utf-8")
    words = ["-m", "pip", "--python", str(environment.python), "install", "--quiet", "--no-compile"]
    done = subprocess.run(
        [sys.executable, *words, "--constraint", str(pins), *requirements],
        env=_environment(),
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode and "NewConnectionError" in done.stderr:
        skip_test("the package index cannot be reached")
    assert 0 == done.returncode, done.stderr
