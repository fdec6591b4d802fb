"""The base installation beside pytest: the plugin changes nothing, and its fixture says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

Path("test_plugin.py").write_text(
    """
def test_of_the_host():
    pass

def test_with_zoom(zoom):
    pass
"""
)
done = subprocess.run(
    [sys.executable, "-m", "pytest", "test_plugin.py"], check=False, capture_output=True, text=True
)
assert "1 passed, 1 error" in done.stdout, done.stdout
assert 'pip install "paraph[simulator]"' in done.stdout
