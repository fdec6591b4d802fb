"""Starts `paraph serve` as its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def start_service(folder: Path) -> subprocess.Popen[str]:
    """Run the command in a folder with a settings file; no setting comes from the environment."""
    environment = {name: v for name, v in os.environ.items() if not name.startswith("PARAPH_")}
    return subprocess.Popen(
        [sys.executable, "-m", "paraph.cli.main", "serve"],
        cwd=folder,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
