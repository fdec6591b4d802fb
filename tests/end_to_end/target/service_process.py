"""The service process of the target, with settings, keys, an API key and a movable clock."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

_SCOPES = ("link", "read", "vend", "remove")
# The simulated Zoom of the checks grants scopes without `:admin` at both levels.
_REQUIRED_SCOPES = {"user": '["user:read:user"]', "account": "[]"}


class ServiceProcess:
    """`paraph serve`, configured by the target's environment; its folder is kept over restarts."""

    def __init__(self) -> None:
        given = os.environ
        self.folder = Path(given["TARGET_FOLDER"])
        self.clock = self.folder / "clock"
        self.host_url = f"http://127.0.0.1:{given['TARGET_HOST_PORT']}"
        self.private_port = int(given["TARGET_PRIVATE_PORT"])
        self.certificate = given.get("TARGET_CERTIFICATE", "")
        inner = given["TARGET_INNER_PORT"] if self.certificate else given["TARGET_PORT"]
        self._environment = {
            **given,
            "PARAPH_PUBLIC_URL": given["TARGET_URL"],
            "PARAPH_PUBLIC_BIND": f"127.0.0.1:{inner}",
            "PARAPH_PRIVATE_BIND": f"127.0.0.1:{self.private_port}",
            "PARAPH_DATABASE_URL": given.get(
                "TARGET_DATABASE_URL", f"sqlite:///{self.folder / 'paraph.db'}"
            ),
            "PARAPH_AUTHORIZATION_SERVER": given["TARGET_ZOOM"],
            "PARAPH_API_SERVERS": json.dumps([given["TARGET_ZOOM"]]),
            "PARAPH_LINKING": "host",
            "PARAPH_DRAIN_SECONDS": "0",
            "PARAPH_START_URL": f"{self.host_url}/connect",
            "PARAPH_LINK_URL": f"{self.host_url}/link",
            "PARAPH_REQUIRED_SCOPES": _REQUIRED_SCOPES[given.get("PARAPH_LEVEL", "user")],
            "PARAPH_FORWARD_URL": f"{self.host_url}/hooks/paraph",
            "PARAPH_FORWARD_SECRETS": json.dumps([self._kept("forward", self._forward_secret)]),
            "PARAPH_TRUSTED_PROXIES": json.dumps(self._proxies()),
            "PARAPH_ENCRYPTION_KEYS": json.dumps(self._keys(given.get("TARGET_KEYS", "old"))),
        }
        self.api_key = self._kept("api-key", self._new_api_key)
        self._process: subprocess.Popen[bytes] | None = None

    def _proxies(self) -> list[str]:
        """Return the networks of the proxies in front of the service, including its own front."""
        named = os.environ.get("TARGET_PROXIES", "127.0.0.0/8" if self.certificate else "")
        return [named] if named else []

    def _forward_secret(self) -> str:
        return "whsec_" + base64.b64encode(os.urandom(24)).decode()

    def _keys(self, names: str) -> list[str]:
        return [self._kept(f"key-{name}", self._new_encryption_key) for name in names.split(",")]

    def _new_encryption_key(self) -> str:
        """Make a key as `paraph keys new` does, without the cost of starting a command."""
        key = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
        return f"{os.urandom(4).hex()}:{key}"

    def _new_api_key(self) -> str:
        scopes = [part for scope in _SCOPES for part in ("--scope", scope)]
        return self.run("api-keys", "create", "--label", "target", *scopes)

    def _kept(self, name: str, make: object) -> str:
        file = self.folder / name
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(make(), "utf-8")  # type: ignore[operator]
        return file.read_text("utf-8")

    def _command(self, *arguments: str) -> list[str]:
        module = "end_to_end.target.shifted"
        return [sys.executable, "-m", module, str(self.clock), *arguments]

    def run(self, *arguments: str) -> str:
        """Run a command of the service; return the last line that it prints."""
        known = getattr(self, "_environment", dict(os.environ))
        done = subprocess.run(
            self._command(*arguments), env=known, capture_output=True, text=True, check=False
        )
        if done.returncode:
            ended = f"paraph {' '.join(arguments)} ended with {done.returncode}"
            sys.stderr.write(f"{done.stdout}{done.stderr}{ended}\n")
            sys.exit(2)
        return done.stdout.strip().splitlines()[-1]

    def start(self) -> None:
        """Start it; its log is written to a file of the folder."""
        with (self.folder / "service.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command("serve"), env=self._environment, stdout=log, stderr=log
            )

    @property
    def ended(self) -> bool:
        """True if the process has ended."""
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> None:
        """Stop it with SIGTERM and wait until it has ended."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(15)
