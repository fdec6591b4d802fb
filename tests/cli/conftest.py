"""Settings for tests of commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from paraph.sealing.encryption_key import new_encryption_key
from private_file import write_private


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with settings of an app whose Zoom does not answer, and a database of its own."""
    write_private(
        tmp_path / "paraph.toml",
        f"""
client_id = "AbCdEf123456"
client_secret = "kF93-2bXq0-Zr8sLpW"
webhook_secrets = ["hN71_0cYwe-Ty6dRmVq"]
public_url = "https://zoom.tidemark.example"
database_url = "sqlite:///{tmp_path / "paraph.db"}"
encryption_keys = ["{new_encryption_key()}"]
linking = "none"
authorization_server = "http://127.0.0.1:9"
api_servers = ["http://127.0.0.1:9"]
""",
    )
    return tmp_path
