"""A demo as a user runs it: one command, real processes, real ports."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ports import reserve_ports


@dataclass
class RunningDemo:
    """The URLs of a demo, and what a test may ask of it."""

    process: subprocess.Popen[str]
    zoom: str
    service: str
    private: str
    host: str
    folder: Path

    def ask_zoom(self, method: str, path: str, body: Any = None) -> Any:
        """Use the simulator's control API."""
        response = httpx.request(method, f"{self.zoom}/_simulator{path}", json=body, timeout=15)
        assert response.is_success, response.text
        return response.json()

    @property
    def client_id(self) -> str:
        """The demo's app."""
        return str(self.ask_zoom("GET", "/world")["apps"][0]["client_id"])

    def token_requests(self) -> list[dict[str, Any]]:
        """What reached Zoom's token endpoint."""
        entries = self.ask_zoom("GET", "/journal")["entries"]
        return [one for one in entries if one["path"] == "/oauth/token"]

    def stop(self) -> int:
        """End it as a terminal would."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)
        return self.process.returncode


def start_demo(linking: str, *, host_address: str = "127.0.0.1") -> RunningDemo:
    """Run `paraph demo` on free ports and wait until it says that it is up."""
    zoom, service, private, host = reserve_ports(4)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "paraph.cli.main", "demo", "--linking", linking),
            *("--zoom-port", str(zoom), "--service-port", str(service)),
            *("--private-port", str(private), "--host-port", str(host)),
            *("--host-address", host_address),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        found = re.search(r"removes (\S+)", line)
        if found:
            return RunningDemo(
                process,
                f"http://localhost:{zoom}",
                f"http://127.0.0.1:{service}",
                f"http://127.0.0.1:{private}",
                f"http://{host_address}:{host}",
                Path(found[1]),
            )
    raise AssertionError(f"the demo did not start:\n{said}")
