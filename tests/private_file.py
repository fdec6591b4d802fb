"""Files with secrets in them, as a deployment keeps them."""

from __future__ import annotations

from pathlib import Path


def write_private(path: Path, text: str) -> Path:
    """Write a file that its owner alone can read; settings with secrets must be one."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)
    return path
