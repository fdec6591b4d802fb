"""The comparison of two versions, with this version on both sides."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_version_answers_as_itself() -> None:
    """Two services of one version differ in nothing, and neither do their two paths."""
    words = [str(ROOT), "--inbox", "sqlite", "--examples", "20"]
    done = subprocess.run(
        [sys.executable, "-m", "project.compare", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "src:tests"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stdout[-5000:] + done.stderr
    assert done.stdout.endswith(" comparisons, 0 differences\n")
