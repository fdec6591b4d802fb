"""Starts gunicorn with a product, restarts and kills its workers, and counts what it handled."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from databases import new_sqlite
from paraph.sealing.encryption_key import new_encryption_key
from paraph.simulator.running import SimulatedZoom
from ports import reserve_ports
from programs import skip_test
from service_kit import ACCOUNT, JANE, give_back, simulated_zoom

HERE = Path(__file__).parent
SRC = HERE.parents[1] / "src"
# The service ends within 9 seconds, the server itself in less than one.
STOP_SECONDS = 10.0
# Half a second is a long time for a burst of events, and a short one for a person.
_CONFIG = """
import gunicorn_product
post_worker_init = gunicorn_product.post_worker_init
accesslog = None
control_socket_disable = True
graceful_timeout = 7
"""


@dataclass
class Gunicorn:
    """A running gunicorn with two workers."""

    url: str
    process: subprocess.Popen[bytes]
    zoom: SimulatedZoom
    folder: Path
    http: httpx.Client

    def link(self) -> None:
        """Install as Jane, linked to the product's only account."""
        begin = self.http.get("/link/begin")
        assert 303 == begin.status_code, self.log()
        at_zoom = self.http.get(begin.headers["location"])
        agreed = self.http.get(at_zoom.headers["location"])
        # The client keeps no secure cookie of a plain URL; browsers do on loopback.
        cookie = at_zoom.headers["set-cookie"].partition(";")[0]
        back = self.http.get(agreed.headers["location"], headers={"cookie": cookie})
        assert 303 == back.status_code, back.text
        assert 200 == self.http.get(back.headers["location"]).status_code, self.log()

    def tokens(self, callers: int) -> set[str]:
        """The names of the access tokens that many callers get at the same time."""

        def token(_number: int) -> str:
            response = self.http.get("/token")
            assert 200 == response.status_code, self.log()
            return response.text

        with ThreadPoolExecutor(callers) as pool:
            return set(pool.map(token, range(callers)))

    def expire_token(self) -> None:
        """Let the access token run out, unnoticed by the workers."""
        with sqlite3.connect(self.folder / "paraph.db", timeout=30) as database:
            database.execute("UPDATE grants SET access_expires_at = 0")
        database.close()

    def refreshes(self) -> int:
        """The number of refreshes that have reached Zoom; the first request was the exchange."""
        return len(self.zoom.journal("/oauth/token")) - 1

    def post_event(self, number: int) -> int:
        """Post an event; return its status, or 0 without a response."""
        payload = {"account_id": ACCOUNT, "object": {"host_id": JANE, "id": str(number)}}
        signed = self.zoom.signed_event("meeting.ended", payload)
        try:
            return self.http.post(
                "/webhook", content=signed.body, headers=signed.headers
            ).status_code
        except httpx.TransportError:
            return 0

    @contextmanager
    def events(self) -> Iterator[set[int]]:
        """Post events until the block ends, each again until it is accepted, as Zoom does.

        Yields:
            The numbers of the accepted events.
        """
        accepted: set[int] = set()
        numbers, over = count(), threading.Event()

        def post() -> None:
            while not over.is_set():
                number = next(numbers)
                while self.post_event(number) != 200:
                    over.wait(0.05)
                accepted.add(number)

        with ThreadPoolExecutor(3) as pool:
            posting = [pool.submit(post) for _ in range(3)]
            try:
                yield accepted
            finally:
                over.set()
        for one in posting:
            one.result()

    def handled(self) -> dict[int, list[int]]:
        """The processes that have handled each event, by its number."""
        found: dict[int, list[int]] = {}
        file = self.folder / "events"
        for line in file.read_text().splitlines() if file.exists() else ():
            one = json.loads(line)
            found.setdefault(int(one["number"]), []).append(one["pid"])
        return found

    def workers(self) -> set[int]:
        """The processes that answer."""
        own = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return {int(one) for one in Path(own).read_text().split()}

    def restart(self, number: signal.Signals, pid: int | None = None) -> None:
        """Send a signal; return once two workers answer, other ones in the place of the old.

        Args:
            number: SIGHUP for the master, or what ends one worker.
            pid: the worker; None for the master.
        """
        gone = self.workers() if pid is None else {pid}
        self.signal(number, pid)
        answering: set[int] = set()
        for _ in eventually(90):
            with suppress(httpx.TransportError):
                answering.add(int(httpx.get(f"{self.url}/pid", trust_env=False).text))
            if len(now := self.workers()) == 2 and not now & gone and now <= answering:
                return

    def signal(self, number: signal.Signals, pid: int | None = None) -> None:
        """Send a signal to the master, or to one of its workers."""
        os.kill(self.process.pid if pid is None else pid, number)

    def stop(self) -> float:
        """SIGTERM; return the seconds that the end took."""
        began = time.monotonic()
        self.signal(signal.SIGTERM)
        assert 0 == self.process.wait(60), self.log()
        return time.monotonic() - began

    def log(self) -> str:
        """Everything that the server has logged."""
        return (self.folder / "gunicorn.log").read_text()


def eventually(seconds: float = 30.0) -> Iterator[None]:
    """Yield until the time is over; the caller breaks earlier."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


@contextmanager
def running_gunicorn(
    folder: Path, *options: str, app: str = "wsgi", settings: Mapping[str, str] | None = None
) -> Iterator[Gunicorn]:
    """Run gunicorn with two workers, over SQLite and a simulated Zoom.

    Args:
        folder: an empty folder.
        options: options of the command, such as the kind of worker.
        app: the product's application: "wsgi" or "asgi".
        settings: further settings of paraph, by the names of their variables.
    """
    if find_spec("gunicorn") is None:
        skip_test("gunicorn is not installed")
    (port,) = reserve_ports(1)
    url = f"http://127.0.0.1:{port}"
    zoom = simulated_zoom(url)
    config = folder / "gunicorn.conf.py"
    config.write_text(_CONFIG)
    command = [sys.executable, "-m", "gunicorn", "--bind", urlsplit(url).netloc]
    command += ["--workers", "2", "--config", str(config), "--worker-tmp-dir", str(folder)]
    with (folder / "gunicorn.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *options, f"gunicorn_product:{app}"],
            cwd=HERE,
            env={**_environment(zoom, url, folder), **(settings or {})},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
            server = Gunicorn(url, process, zoom, folder, http)
            _wait_until_ready(server)
            yield server
    finally:
        if process.poll() is None:
            # Workers outlive a killed master.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        give_back(zoom)


def _wait_until_ready(server: Gunicorn) -> None:
    answering: set[int] = set()
    for _ in eventually(60):
        assert server.process.poll() is None, server.log()
        try:
            answering.add(int(httpx.get(f"{server.url}/pid", trust_env=False).text))
        except (httpx.TransportError, ValueError):
            continue
        if len(answering) == 2:
            return


def _environment(zoom: SimulatedZoom, url: str, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARAPH_")}
    return {
        **kept,
        "PYTHONPATH": f"{SRC}{os.pathsep}{HERE}",
        "PYTHONDONTWRITEBYTECODE": "",
        "EVENTS_FILE": str(folder / "events"),
        "PARAPH_CLIENT_ID": zoom.app.client_id,
        "PARAPH_CLIENT_SECRET": zoom.app.client_secret,
        "PARAPH_WEBHOOK_SECRETS": json.dumps([zoom.app.webhook_secret]),
        "PARAPH_PUBLIC_URL": url,
        "PARAPH_DATABASE_URL": new_sqlite(folder / "paraph.db"),
        "PARAPH_ENCRYPTION_KEYS": json.dumps([new_encryption_key()]),
        "PARAPH_LINKING": "host",
        "PARAPH_START_URL": f"{url}/link/begin",
        "PARAPH_LINK_URL": f"{url}/link",
        "PARAPH_AUTHORIZATION_SERVER": zoom.url,
        "PARAPH_API_SERVERS": json.dumps([zoom.url]),
        "PARAPH_REQUIRED_SCOPES": json.dumps(["user:read:user"]),
        "PARAPH_APP_NAME": "Tidemark",
    }
