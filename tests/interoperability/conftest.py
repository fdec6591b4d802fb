"""Published clients in environments of their own, and a simulated Zoom that they take for real.

The first run installs them from pinned, hashed lists into `.interoperability/`; later runs find
them there. Where no registry can be reached the tests are skipped, and say so.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from interoperability.environments import (
    HERE,
    KEPT,
    NotInstalledError,
    digest,
    node_folder,
    python_environment,
)
from interoperability.kit_targets import in_kits, kits_folder
from programs import skip_test

JANE, ACCOUNT = "KDcuGIm1QgePTO8WbOqwIQ", "AbcDEFghiJKLmnoPQRst01"
SCOPES = ["user:read:user", "meeting:read:meeting", "meeting:write:meeting"]
WORLD = f"""
[[accounts]]
id = "{ACCOUNT}"

[[users]]
id = "{JANE}"
email = "jane@example.com"
display_name = "Jane Dev"
role = "admin"

[[apps]]
client_id = "PublishedClientsApp001"
client_secret = "a-secret+with/characters=that%clients&encode"
redirect_uris = ["https://app.example/oauth/redirect"]
allow_list = [
    "http://127.0.0.1:8000/accounts/zoom/login/callback/",
    "https://app.example/auth/callback/zoom",
]
scopes = {json.dumps(SCOPES)}

[[apps]]
kind = "server-to-server"
client_id = "PublishedServerApp0001"
client_secret = "another-simulated-secret-0001"
account_id = "{ACCOUNT}"
scopes = ["user:read:user:admin", "user:read:list_users:admin"]

[zoom]
api_url = "https://api.zoom.us"
"""


@dataclass(frozen=True)
class PublishedClients:
    """Runs clients against one simulator."""

    environment: dict[str, str]
    control: httpx.Client

    def run(self, *command: str) -> Any:
        """Run one client to its end; what it reports."""
        self.control.post("/reset", json={})
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert 0 == done.returncode, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def grants(self) -> list[dict[str, Any]]:
        """The grants that are alive."""
        found: list[dict[str, Any]] = self.control.get("/grants").json()["grants"]
        return found

    def journal(self, path: str) -> list[dict[str, Any]]:
        """What reached the simulator at a path since the client began."""
        entries = self.control.get("/journal").json()["entries"]
        return [entry for entry in entries if entry["path"] == path]


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishedClients]:
    """A simulator with TLS, under Zoom's names, and the environment that leads clients to it."""
    folder = tmp_path_factory.mktemp("zoom")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    leaf = authority.issue_cert("zoom.us", "api.zoom.us", "marketplace.zoom.us", "127.0.0.1")
    leaf.private_key_and_cert_chain_pem.write_to_path(folder / "zoom.pem")
    (folder / "world.toml").write_text(WORLD)
    command = [
        *(sys.executable, "-m", "paraph.cli.main", "simulate", "--port", "0"),
        *("--world", str(folder / "world.toml"), "--auto-consent", JANE),
        *("--tls-certificate", str(folder / "zoom.pem"), "--tls-key", str(folder / "zoom.pem")),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield from _clients(process, folder)
        finally:
            process.terminate()


def _clients(process: subprocess.Popen[str], folder: Path) -> Iterator[PublishedClients]:
    assert process.stdout is not None
    url = next(line.split()[1] for line in process.stdout if line.startswith("listening "))
    authority = str(folder / "ca.pem")
    environment = {
        "PATH": os.environ["PATH"],
        "ZOOM_PORT": url.rpartition(":")[2],
        "CLIENT_ID": "PublishedClientsApp001",
        "CLIENT_SECRET": "a-secret+with/characters=that%clients&encode",
        "REDIRECT_URI": "https://app.example/oauth/redirect",
        "S2S_CLIENT_ID": "PublishedServerApp0001",
        "S2S_CLIENT_SECRET": "another-simulated-secret-0001",
        "ACCOUNT_ID": ACCOUNT,
        "SSL_CERT_FILE": authority,
        "REQUESTS_CA_BUNDLE": authority,
        "NODE_EXTRA_CA_CERTS": authority,
    }
    trust = ssl.create_default_context(cafile=authority)
    with httpx.Client(base_url=f"{url}/_simulator", verify=trust, trust_env=False) as control:
        yield PublishedClients(environment, control)


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter of a virtual environment with the published Python clients."""
    pinned = HERE / "requirements.txt"
    with _told():
        return str(python_environment(pinned, folder=KEPT / f"python-{digest(pinned)}"))


@pytest.fixture(scope="session")
def node() -> Path:
    """A folder with the published Node clients, and our scripts beside them."""
    with _told():
        return node_folder(HERE / "node")


@pytest.fixture(scope="session")
def receivers() -> Path:
    """A folder with the published receivers of webhooks, and our scripts beside them."""
    with _told():
        return node_folder(HERE / "receivers")


@pytest.fixture(scope="session")
def kits() -> Iterator[None]:
    """The published kits that `paraph check` attacks; their folder is where the test runs."""
    with _told():
        folder = kits_folder()
    with in_kits(folder):
        yield


@contextmanager
def _told() -> Iterator[None]:
    """What cannot be installed is skipped, and says why."""
    try:
        yield
    except NotInstalledError as error:
        skip_test(f"the published clients could not be installed: {error}")
