"""The extra `simulator`: pytest finds the fixture, and no database library is installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

assert not [one for one in ("sqlalchemy", "alembic", "pydantic", "aiosqlite") if find_spec(one)]
Path("test_zoom.py").write_text(
    """
import httpx

def test_zoom(zoom):
    assert 200 == httpx.get(zoom.url).status_code
    assert zoom.signed_event("meeting.ended").headers
"""
)
subprocess.run([sys.executable, "-m", "pytest", "-q", "test_zoom.py"], check=True)
