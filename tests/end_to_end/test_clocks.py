"""Replicas whose machines' clocks are wrong, as real processes under faketime."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil  # type: ignore[import-untyped]  # Its stubs are a package of their own.
import pytest

from paraph.client import challenge_of
from paraph.sealing.encryption_key import new_encryption_key
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.webhooks.webhook_sender import sign
from ports import reserve_ports
from private_file import write_private
from programs import need_program
from service_kit import ACCOUNT, give_back, simulated_zoom

PUBLIC_URL = "http://127.0.0.1:8000"
API_SCOPES = ("link", "read", "vend")


class Machine:
    """A replica, and the clock of its machine."""

    def __init__(self, folder: Path, settings: str, *, ahead: int) -> None:
        self.public, self.private = reserve_ports(2)
        folder.mkdir()
        write_private(
            folder / "paraph.toml",
            f'{settings}\npublic_bind = "127.0.0.1:{self.public}"\n'
            f'private_bind = "127.0.0.1:{self.private}"\n',
        )
        self._folder = folder
        self._prefix = [need_program("faketime"), "-f", f"{ahead:+d}s"] if ahead else []
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self, *arguments: str) -> list[str]:
        return [*self._prefix, sys.executable, "-m", "paraph.cli.main", *arguments]

    @property
    def _environment(self) -> dict[str, str]:
        kept = {name: v for name, v in os.environ.items() if not name.startswith("PARAPH_")}
        # The event loop's own clock goes on as it does.
        return {**kept, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def run(self, *arguments: str) -> str:
        """Run a command on this machine; the last line of its output."""
        done = subprocess.run(
            self._command(*arguments),
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip().splitlines()[-1]

    def start(self) -> None:
        """Start the service, and wait until it answers."""
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command("serve"),
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while True:
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            try:
                httpx.get(f"http://127.0.0.1:{self.public}/healthz", timeout=5)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return

    @property
    def log(self) -> str:
        """The log of the service."""
        return (self._folder / "log").read_text()

    def stop(self) -> None:
        """End the service."""
        if self._process is not None and self._process.poll() is None:
            started = psutil.Process(self._process.pid)
            # faketime ends with its process, and only then deletes its shared memory. Memory that
            # stays fails a later run whose process has the same number.
            for process in started.children() if self._prefix else [started]:
                process.terminate()
            self._process.wait(30)

    def browser(self, cookies: httpx.Cookies | None = None) -> httpx.Client:
        """A browser that reaches the app at this replica."""
        return httpx.Client(base_url=f"http://127.0.0.1:{self.public}", cookies=cookies, timeout=20)

    def api(self, key: str) -> httpx.Client:
        """The host's backend at this replica."""
        headers = {"authorization": f"Bearer {key}"}
        base_url = f"http://127.0.0.1:{self.private}"
        return httpx.Client(base_url=base_url, headers=headers, timeout=20)


@contextmanager
def machines(
    folder: Path, database_url: str, *clocks: int, linking: str = "none"
) -> Iterator[tuple[SimulatedZoom, list[Machine]]]:
    """Replicas of one app, each with its clock so many seconds ahead, started."""
    zoom = simulated_zoom(PUBLIC_URL)
    urls = 'start_url = "http://127.0.0.1:9/start"\nlink_url = "http://127.0.0.1:9/link"\n'
    settings = f"""
client_id = "{zoom.app.client_id}"
client_secret = "{zoom.app.client_secret}"
webhook_secrets = ["{zoom.app.webhook_secret}"]
public_url = "{PUBLIC_URL}"
database_url = "{database_url}"
encryption_keys = ["{new_encryption_key()}"]
authorization_server = "{zoom.url}"
api_servers = ["{zoom.url}"]
linking = "{linking}"
{urls if linking == "host" else ""}
"""
    with ExitStack() as stack:
        stack.callback(give_back, zoom)
        found = [
            Machine(folder / f"machine-{number}", settings, ahead=ahead)
            for number, ahead in enumerate(clocks)
        ]
        for each in found:
            stack.callback(each.stop)
            each.start()
        yield zoom, found


def agree(start: httpx.Response) -> str:
    """Agree at Zoom; the path and query of the redirection endpoint."""
    assert start.status_code == 303, start.text
    answer = httpx.get(start.headers["location"])
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"]).removeprefix(PUBLIC_URL)


def secure_cookies(response: httpx.Response) -> dict[str, str]:
    """The cookie of a flow. Browsers send it to loopback over http, the library does not."""
    pair = response.headers["set-cookie"].partition(";")[0]
    return {"cookie": pair}


def deliver(zoom: SimulatedZoom, machine: Machine, number: int, *, age: int = 0) -> int:
    """Send a delivery that Zoom signed so many seconds ago; the status."""
    payload: dict[str, Any] = {"account_id": ACCOUNT, "object": {"topic": f"Tides {number}"}}
    body = json.dumps({"event": "meeting.ended", "payload": payload}).encode()
    at = str(int(time.time()) - age)
    headers = {
        "x-zm-signature": sign(zoom.app.webhook_secret, at, body),
        "x-zm-request-timestamp": at,
    }
    with machine.browser() as sender:
        return sender.post("/webhook", content=body, headers=headers).status_code


@pytest.mark.parametrize("ahead", [10_000, pytest.param(-4000, marks=pytest.mark.slow)])
def test_a_machine_with_a_wrong_clock_says_so_and_loses_no_delivery(
    tmp_path: Path, ahead: int
) -> None:
    """It is not ready, and has Zoom send its deliveries again; old captures are a 401."""
    with machines(tmp_path, f"sqlite:///{tmp_path}/paraph.db", ahead) as (zoom, (wrong,)):
        assert [503] * 5 == [deliver(zoom, wrong, number) for number in range(5)]
        assert 401 == deliver(zoom, wrong, 9, age=20_000)
        with wrong.browser() as browser:
            ready = browser.get("/readyz")
        assert (503, False) == (ready.status_code, ready.json()["ready"])
        assert abs(ready.json()["clock_skew_seconds"] - ahead) <= 60
        assert "clock.alarm" in wrong.log


@pytest.mark.slow
@pytest.mark.parametrize("linking", ["none", "host"])
@pytest.mark.parametrize("clocks", [(-90, 0), (0, -90), (90, 0), (-90, 90)])
def test_replicas_finish_the_flows_of_others(
    tmp_path: Path, postgresql_url: str, linking: str, clocks: tuple[int, int]
) -> None:
    """Link request, start, answer, claim and vend, each at another replica than the last step."""
    with machines(tmp_path, postgresql_url, *clocks, linking=linking) as (zoom, (one, two)):
        key = one.run("api-keys", "create", "--label", "t", *_scopes())
        path, nonce = "/install", secrets.token_urlsafe(32)
        if linking == "host":
            with two.api(key) as api:
                wish = {"subject": "ada", "challenge": challenge_of(nonce)}
                begun = api.post("/v1/link-requests", json=wish).json()
            path = begun["install_url"].removeprefix(PUBLIC_URL)
            assert abs(begun["expires_at"] - time.time() - 600) < 5
        with one.browser() as browser:
            started = browser.get(path)
        with two.browser() as browser:
            done = browser.get(agree(started), headers=secure_cookies(started))
        assert done.status_code == 303, done.text
        if linking == "host":
            confirm(one, two, key, done.headers["location"], nonce)
        with two.api(key) as api:
            (installation,) = api.get("/v1/installations").json()["installations"]
            vended = api.post(
                f"/v1/installations/{installation['id']}/access-token",
                json={"subject": installation["subject"]},
            )
        assert vended.status_code == 200, vended.text
        assert abs(vended.json()["expires_at"] - time.time() - 3600) < 60
        exchanges = [one for one in zoom.journal("/oauth/token") if one["status"] == 200]
        assert len(exchanges) == 1


def _scopes() -> list[str]:
    return [word for scope in API_SCOPES for word in ("--scope", scope)]


def confirm(one: Machine, two: Machine, key: str, link_url: str, nonce: str) -> None:
    """The host's backend claims at one replica and confirms at the other."""
    (handoff,) = parse_qs(urlsplit(link_url).query)["handoff"]
    with one.api(key) as api:
        claimed = api.post("/v1/handoffs/claim", json={"handoff": handoff, "verifier": nonce})
    assert claimed.status_code == 200, claimed.text
    with two.api(key) as api:
        done = api.post(f"/v1/claims/{claimed.json()['claim']}/confirm", json={"subject": "ada"})
    assert done.status_code == 200, done.text
