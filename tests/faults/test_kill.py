"""Killed with SIGKILL at any step and started again: nothing half, nothing that was removed.

`make test` kills at three random steps of an install, `make verify` at every third step of
everything, and `make faults` at every step.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from paraph import challenge_of
from paraph.lifecycle.audit import walk_chain
from paraph.model.link import PROOF_NAMES
from paraph.sealing.encryption_key import new_encryption_key
from paraph.sealing.key_ring import KeyRing
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.webhooks.webhook_sender import sign
from paraph.storage.database import Database, open_store
from ports import reserve_ports
from private_file import write_private
from service_kit import ACCOUNT, JANE, iso, simulated_zoom

NEVER = 0
MOST_STEPS = 60
# An install takes at least so many steps at which it can be killed.
INSTALL_STEPS = 9
STRIDE = int(os.environ.get("KILL_STRIDE", "3"))


@dataclass
class Place:
    """A service's folder, key and port, over several lives."""

    folder: Path
    key: str
    port: int
    zoom: SimulatedZoom
    linking: str = "none"
    private: str = ""

    @property
    def url(self) -> str:
        """The service's public origin."""
        return f"http://127.0.0.1:{self.port}"

    def write_settings(self) -> None:
        """The settings file that every life reads."""
        app = self.zoom.app
        pages = [f'{one}_url = "https://host.example/zoom/{one}"' for one in ("start", "link")]
        host_pages = "\n".join(pages if self.linking == "host" else [])
        write_private(
            self.folder / "paraph.toml",
            f"""
client_id = "{app.client_id}"
client_secret = "{app.client_secret}"
webhook_secrets = ["{app.webhook_secret}"]
public_url = "{self.url}"
public_bind = "127.0.0.1:{self.port}"
private_bind = "127.0.0.1:0"
database_url = "sqlite:///{self.folder / "paraph.db"}"
encryption_keys = ["{self.key}"]
linking = "{self.linking}"
{host_pages}
event_timeout = 7
drain_seconds = 0
required_scopes = ["user:read:user"]
authorization_server = "{self.zoom.url}"
api_servers = ["{self.zoom.url}"]
""",
        )

    @contextmanager
    def alive(self, kill_at: int = NEVER) -> Iterator[subprocess.Popen[str]]:
        """One life of the service, until the block ends or its step comes."""
        script = Path(__file__).with_name("killable_service.py")
        process = subprocess.Popen(
            [sys.executable, str(script), str(kill_at), str(self.folder / "paraph.toml")],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        try:
            said = dict(process.stdout.readline().split() for _ in range(2))
            self.private = said["private"]
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=20)

    def install(self) -> int:
        """The whole way through in a new browser; the last status, 0 when the service died."""
        with httpx.Client(timeout=10) as browser:
            try:
                start = browser.get(f"{self.url}/install")
                cookie = start.headers["set-cookie"].partition(";")[0]
                back = httpx.get(start.headers["location"]).headers["location"]
                return browser.get(back, headers={"cookie": cookie}).status_code
            except httpx.TransportError:
                return 0

    def new_api_key(self) -> str:
        """A key of the host's backend."""
        arguments = ("api-keys", "create", "--label", "host", "--scope", "link", "--scope", "read")
        done = subprocess.run(
            [sys.executable, "-m", "paraph.cli.main", *arguments],
            cwd=self.folder,
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout.strip()

    def link(self, api_key: str) -> str:
        """The whole way through with a host that confirms; the phase, "" when the service died."""
        nonce = secrets.token_urlsafe(32)
        headers = {"authorization": f"Bearer {api_key}"}
        with httpx.Client(base_url=self.private, headers=headers, timeout=10) as host:

            def ask(path: str, **body: str) -> Any:
                answer = host.post(f"/v1/{path}", json=body)
                assert answer.is_success, answer.text
                return answer.json()

            try:
                wish = ask("link-requests", subject="ada", challenge=challenge_of(nonce))
                start = httpx.get(wish["install_url"], timeout=10)
                cookie = start.headers["set-cookie"].partition(";")[0]
                back = httpx.get(start.headers["location"]).headers["location"]
                done = httpx.get(back, headers={"cookie": cookie}, timeout=10)
                handoff = done.headers["location"].partition("handoff=")[2]
                claim = ask("handoffs/claim", handoff=handoff, verifier=nonce)["claim"]
                return str(ask(f"claims/{claim}/confirm", subject="ada")["phase"])
            except httpx.TransportError:
                return ""

    def deauthorize(self, at: float) -> int:
        """Jane's removal as Zoom sends it; the status, 0 when the service died."""
        payload = {
            "account_id": ACCOUNT,
            "user_id": JANE,
            "client_id": self.zoom.app.client_id,
            "deauthorization_time": iso(at),
        }
        body = json.dumps({"event": "app_deauthorized", "payload": payload}).encode()
        # No removal is later than its delivery: Zoom's clock may be ahead of this one.
        now = str(int(max(time.time(), at)))
        signature = sign(self.zoom.app.webhook_secret, now, body)
        headers = {"x-zm-signature": signature, "x-zm-request-timestamp": now}
        try:
            return httpx.post(f"{self.url}/webhook", content=body, headers=headers).status_code
        except httpx.TransportError:
            return 0

    def look(self) -> dict[str, Any]:
        """What the database holds, opened as the service opens it."""
        return asyncio.run(self._look())

    async def _look(self) -> dict[str, Any]:
        ring = KeyRing.parse([self.key])
        url = f"sqlite:///{self.folder / 'paraph.db'}"
        store: Database = await open_store(url, ring, randomness=lambda n: b"x" * n)
        async with store.reading() as tx:
            installations = await tx.installations.page(self.zoom.app.client_id)
            grants = await tx.grants.in_account(self.zoom.app.client_id, ACCOUNT)
            events = [one for one in await tx.events.page(limit=500) if one.urgent]
        verdict = await walk_chain(store)
        await store.close()
        return {
            "rungs": [[rung.name for rung in one.link.proofs] for one in installations],
            "installations": [one.link.link_id for one in installations],
            "grants": [one.tokens.access_token.reveal() for one in grants],
            "removals": [one.status.value for one in events],
            "chain_broken_at": verdict.broken_at,
        }


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A folder, a port, and a Zoom that agrees to everything."""
    (port,) = reserve_ports(1)
    zoom = simulated_zoom(f"http://127.0.0.1:{port}")
    place = Place(tmp_path, new_encryption_key(), port, zoom)
    place.write_settings()
    yield place
    zoom.stop()


def test_killed_at_random_steps_of_an_install(place: Place) -> None:
    """After three kills at random steps, installing again works each time."""
    seed = secrets.randbelow(1_000_000)
    steps = random.Random(seed).sample(range(1, INSTALL_STEPS + 1), 3)

    assert [True] * 3 == [_killed_while_installing(place, one) for one in steps], f"seed {seed}"


@pytest.mark.slow
def test_killed_at_any_step_of_an_install(place: Place) -> None:
    """After each kill: no grant without its installation, and installing again works."""
    deaths = 0
    for step in range(1, MOST_STEPS, STRIDE):
        if not _killed_while_installing(place, step):
            break
        deaths += 1
    assert deaths >= INSTALL_STEPS // STRIDE


def _killed_while_installing(place: Place, step: int) -> bool:
    """Install with a kill at a step and then again; return False where the step never came."""
    with place.alive(kill_at=step) as process:
        status = place.install()
        died = process.poll() is not None or status == 0
        if died:
            assert -signal.SIGKILL == process.wait(10)
    seen = place.look()
    assert len(seen["grants"]) == len(seen["installations"])
    assert seen["chain_broken_at"] is None
    if not died:
        return False
    with place.alive():
        assert 303 == place.install()
    seen = place.look()
    (grant,) = place.zoom.simulator.ledger.grants.values()
    assert [grant.access_token] == seen["grants"]
    assert 1 == len(seen["installations"])
    return True


@pytest.mark.slow
def test_killed_at_any_step_of_a_linked_install(place: Place) -> None:
    """Until the host has confirmed nothing is active; what is active has every proof."""
    place.linking = "host"
    place.write_settings()
    api_key = place.new_api_key()
    deaths = 0
    for step in range(1, MOST_STEPS, STRIDE):
        with place.alive(kill_at=step) as process:
            phase = place.link(api_key)
            died = process.poll() is not None or not phase
            if died:
                assert -signal.SIGKILL == process.wait(10)
        seen = place.look()
        assert len(seen["installations"]) <= len(seen["grants"]) <= 1
        assert all(list(PROOF_NAMES) == rungs for rungs in seen["rungs"])
        assert seen["chain_broken_at"] is None
        if not died:
            break
        deaths += 1
        with place.alive():
            assert "active" == place.link(api_key)
        seen = place.look()
        (grant,) = place.zoom.simulator.ledger.grants.values()
        assert [grant.access_token] == seen["grants"]
        assert 1 == len(seen["installations"])
        _end_everything(place)
    assert deaths >= 18 // STRIDE


@pytest.mark.slow
@pytest.mark.parametrize("unclear", [False, True], ids=["clearly newer", "decided by a refresh"])
def test_killed_at_any_step_of_a_deauthorization(place: Place, unclear: bool) -> None:  # noqa: FBT001 - A parameter of the test.
    """Once Zoom was answered 200, the removal is carried out, whenever the process dies."""
    deaths = 0
    for step in range(1, MOST_STEPS, STRIDE):
        with place.alive():
            assert 303 == place.install()
        place.zoom.simulator.ledger.remove(place.zoom.app.client_id, JANE)
        at = time.time() + (0 if unclear else 120)
        with place.alive(kill_at=step) as process:
            status = place.deauthorize(at)
            died = _ends(process, place)
        if status != 200:
            # Zoom saw no answer, and sends again.
            with place.alive():
                assert 200 == place.deauthorize(at)
                _until_removed(place)
        elif died:
            with place.alive():
                _until_removed(place)
        seen = place.look()
        assert ([], []) == (seen["grants"], seen["installations"])
        assert seen["chain_broken_at"] is None
        if not died:
            break
        deaths += 1
        _forget_tombstones(place)
    assert deaths >= 6 // STRIDE


def _ends(process: subprocess.Popen[str], place: Place) -> bool:
    """Wait until the process has died or the work is done; whether it died."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert -signal.SIGKILL == process.returncode
            return True
        if _is_removed(place):
            time.sleep(0.3)
            return process.poll() is not None
        time.sleep(0.05)
    raise AssertionError("neither dead nor done")


def _is_removed(place: Place) -> bool:
    seen = place.look()
    return bool(seen["removals"]) and set(seen["removals"]) == {"handed_on"}


def _until_removed(place: Place) -> None:
    # As long as the leases of the killed process and one more of doubt, on a busy machine.
    deadline = time.monotonic() + 60
    while not _is_removed(place):
        assert time.monotonic() < deadline, place.look()
        time.sleep(0.05)


def _end_everything(place: Place) -> None:
    """The next round begins without an installation, as the first one did."""
    connection = sqlite3.connect(place.folder / "paraph.db")
    with connection:
        connection.execute("delete from links")
        connection.execute("delete from grants")
    connection.close()


def _forget_tombstones(place: Place) -> None:
    """The next round installs anew; its consent must not meet this round's tombstone."""
    connection = sqlite3.connect(place.folder / "paraph.db")
    connection.execute("delete from tombstones")
    connection.commit()
    connection.close()
