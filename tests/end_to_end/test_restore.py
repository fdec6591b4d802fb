"""Yesterday's backup beside a running Zoom, as an operator restores it: real processes only."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from paraph.sealing.encryption_key import new_encryption_key
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.webhooks.webhook_sender import sign
from ports import reserve_ports
from private_file import write_private
from service_kit import ACCOUNT, JANE, RAVI, agree_as, iso, simulated_zoom

pytestmark = pytest.mark.slow


@dataclass
class Place:
    """One folder with settings, and commands as an operator types them."""

    folder: Path
    zoom: SimulatedZoom
    public: str
    private: str
    keys: list[str]
    database_url: str

    def write_settings(self) -> None:
        """The file that every command reads."""
        app = self.zoom.app
        keys = ", ".join(f'"{key}"' for key in self.keys)
        write_private(
            self.folder / "paraph.toml",
            f"""
client_id = "{app.client_id}"
client_secret = "{app.client_secret}"
webhook_secrets = ["{app.webhook_secret}"]
public_url = "{self.public}"
public_bind = "{urlsplit(self.public).netloc}"
private_bind = "{urlsplit(self.private).netloc}"
database_url = "{self.database_url}"
encryption_keys = [{keys}]
receipts_folder = "{self.folder / "receipts"}"
linking = "none"
drain_seconds = 0
required_scopes = ["user:read:user"]
authorization_server = "{self.zoom.url}"
api_servers = ["{self.zoom.url}"]
""",
        )

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself."""
        done = subprocess.run(
            [sys.executable, "-m", "paraph.cli.main", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert code == done.returncode, (words, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[str]]:
        """The service, until the block ends."""
        with (self.folder / "service.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "paraph.cli.main", "serve"],
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert process.stdout is not None
        try:
            for _ in range(2):
                assert process.stdout.readline(), (self.folder / "service.log").read_text()
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)

    def install(self, user: str) -> None:
        """The whole way through in a new browser."""
        agree_as(self.zoom, user)
        with httpx.Client(timeout=20) as browser:
            start = browser.get(f"{self.public}/install")
            cookie = start.headers["set-cookie"].partition(";")[0]
            back = httpx.get(start.headers["location"], timeout=20).headers["location"]
            assert browser.get(back, headers={"cookie": cookie}).status_code < 400

    def deauthorize(self, user: str) -> None:
        """The user's removal as Zoom sends it; Zoom itself forgets the grant."""
        payload = {
            "account_id": ACCOUNT,
            "user_id": user,
            "client_id": self.zoom.app.client_id,
            "deauthorization_time": iso(time.time() + 120),
        }
        content = {"event": "app_deauthorized", "event_ts": 1, "payload": payload}
        raw, at = json.dumps(content).encode(), str(int(time.time()) + 130)
        answer = httpx.post(
            f"{self.public}/webhook",
            content=raw,
            headers={
                "x-zm-signature": sign(self.zoom.app.webhook_secret, at, raw),
                "x-zm-request-timestamp": at,
                "content-type": "application/json",
            },
            timeout=20,
        )
        assert 200 == answer.status_code

    def ask(self, key: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """The host's backend."""
        headers = {"authorization": f"Bearer {key}"}
        return httpx.request(
            method, f"{self.private}/v1{path}", json=body, headers=headers, timeout=20
        )

    def installations(self, key: str) -> dict[str, dict[str, Any]]:
        """By Zoom user."""
        answer = self.ask(key, "GET", "/installations")
        assert 200 == answer.status_code, answer.text
        return {one["zoom"]["user_id"]: one for one in answer.json()["installations"]}

    def phase_of(self, key: str, user: str) -> str:
        """As the API tells it."""
        return str(self.installations(key)[user]["phase"])

    def vend(self, key: str, installation: dict[str, Any]) -> httpx.Response:
        """An access token, for the installation's subject."""
        path = f"/installations/{installation['id']}/access-token"
        return self.ask(key, "POST", path, {"subject": installation["subject"]})


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Iterator[Place]:
    """A folder with settings, and a Zoom that goes on running through it all."""
    public, private = (f"http://127.0.0.1:{port}" for port in reserve_ports(2))
    zoom = simulated_zoom(public)
    made = Place(tmp_path, zoom, public, private, [new_encryption_key()], database_url)
    made.write_settings()
    yield made
    zoom.stop()


def until(what: str, condition: Any) -> None:
    """Wait for what the service does by itself."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def exported(place: Place, word: str) -> bool:
    """Whether the receipts outside speak of something."""
    return any(word in path.read_text() for path in (place.folder / "receipts").glob("*"))


def api_key(place: Place) -> str:
    """A key of the host's."""
    scopes = ("--scope", "read", "--scope", "vend")
    return place.run("api-keys", "create", "--label", "host", *scopes).stdout.strip()


def test_yesterdays_backup_beside_a_running_zoom(place: Place) -> None:
    """No removed user returns, spent tokens end cleanly, unspent ones work, old keys are dead."""
    key = api_key(place)
    with place.serving():
        place.install(JANE)
        place.install(RAVI)
        place.run("backup", "yesterday.backup")
        assert 0o600 == (place.folder / "yesterday.backup").stat().st_mode & 0o777
        spent = place.installations(key)[RAVI]
        # Ravi consents again: Zoom kills the tokens that the backup holds (4741).
        place.install(RAVI)
        place.deauthorize(JANE)
        until("Jane stayed", lambda: JANE not in place.installations(key))
        until("no receipt was exported", lambda: exported(place, '"receipt"'))
    assert "say --replace" in place.run("restore", "yesterday.backup", code=1).stderr

    restored = place.run("restore", "yesterday.backup", "--replace")
    new_key = restored.stdout.strip().partition("\t")[2]

    with place.serving():
        assert 401 == place.ask(key, "GET", "/installations").status_code
        assert {RAVI} == set(place.installations(new_key))
        until("never decided", lambda: place.phase_of(new_key, RAVI) == "needs_reauthorization")
        refused = place.vend(new_key, spent)
        assert (False, True) == (refused.is_success, "access_token" not in refused.text)
        place.install(RAVI)
        assert 200 == place.vend(new_key, place.installations(new_key)[RAVI]).status_code
    assert "unbroken" in place.run("audit", "verify").stdout


def test_grants_that_were_not_used_since_work_again(place: Place) -> None:
    """Suspended until a refresh proves them, which the service asks for by itself."""
    key = api_key(place)
    with place.serving():
        place.install(RAVI)
        place.run("backup", "yesterday.backup")
    restored = place.run("restore", "yesterday.backup", "--replace")
    new_key = restored.stdout.strip().partition("\t")[2]
    assert key != new_key

    with place.serving():
        assert 200 == place.vend(new_key, place.installations(new_key)[RAVI]).status_code


def test_a_file_put_back_by_hand_is_noticed_and_mended_in_place(
    place: Place, tmp_path: Path
) -> None:
    """The service does not start on it, says why and what to do, and that is what helps."""
    if not place.database_url.startswith("sqlite"):
        pytest.skip("a server has no file to copy")
    file, copy = tmp_path / "paraph.db", tmp_path / "copy.db"
    key = api_key(place)
    with place.serving():
        place.install(JANE)
        place.install(RAVI)
    shutil.copy(file, copy)
    with place.serving():
        place.deauthorize(JANE)
        until("Jane stayed", lambda: JANE not in place.installations(key))
        until("no receipt was exported", lambda: exported(place, '"receipt"'))
    shutil.copy(copy, file)

    refused = place.run("serve", code=2)
    assert "the database is an older copy, put back by hand" in refused.stderr
    assert "paraph restore --in-place" in refused.stderr
    new_key = place.run("restore", "--in-place").stdout.strip().partition("\t")[2]
    with place.serving():
        assert {RAVI} == set(place.installations(new_key))
        assert 401 == place.ask(key, "GET", "/installations").status_code


def test_a_rotation_that_was_killed_is_taken_up_again(place: Place) -> None:
    """SIGKILL in the middle: the service reads both halves, and the next run does the rest."""
    if not place.database_url.startswith("sqlite"):
        pytest.skip("rows are multiplied in the file itself")
    with place.serving():
        place.install(RAVI)
    with closing(sqlite3.connect(place.folder / "paraph.db")) as plain, plain:
        # Used states are no ciphertexts; events are what a database holds most of.
        plain.executemany(
            "INSERT INTO kept_events (event_ts, event_id, name, received_at, body, account_id,"
            " user_id, notice, urgent, status, attempts, next_attempt_at, failure) SELECT event_ts,"
            " ?, name, received_at, body, account_id, user_id, notice, urgent, 'dead', 0, 0, ''"
            " FROM kept_events LIMIT 1",
            [(f"copy-{number:06}",) for number in range(4_000)],
        )
        plain.execute("UPDATE kept_events SET body = NULL WHERE body IS NULL")
    place.keys.insert(0, new_encryption_key())
    place.write_settings()
    with subprocess.Popen(
        [sys.executable, "-m", "paraph.cli.main", "keys", "rotate"],
        cwd=place.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "seals from now on" in process.stdout.readline()
        process.kill()
    key = api_key(place)
    with place.serving():
        assert 200 == place.vend(key, place.installations(key)[RAVI]).status_code
        rotated = place.run("keys", "rotate", code=1)
        # The copies stand in rows that they were not sealed for: told, and left as they are.
        assert "4000 of kept_events.body are damaged" in rotated.stderr
