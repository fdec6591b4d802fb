"""The service behind two real proxies that each append to the forwarding headers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from end_to_end.nginx import FIRST, SECOND, Proxies, certificate, demand_nginx, free_port, nginx
from paraph.sealing.encryption_key import new_encryption_key
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.webhooks.webhook_sender import sign
from service_kit import ACCOUNT, JANE, iso, simulated_zoom

pytestmark = pytest.mark.slow

MEETING = {"account_id": ACCOUNT, "object": {"id": "1", "host_id": JANE}}


@dataclass(slots=True)
class Deployment:
    """The service in a process of its own, behind both proxies."""

    zoom: SimulatedZoom
    proxies: Proxies
    private_url: str
    process: subprocess.Popen[str]

    def browser(self) -> httpx.Client:
        """A browser that comes through the first proxy."""
        return httpx.Client(base_url=self.proxies.url, verify=self.proxies.context, timeout=20)

    def deliver(self, event: str, payload: dict[str, Any]) -> int:
        """The status that a genuine delivery gets."""
        content = {"event": event, "event_ts": int(time.time() * 1000), "payload": payload}
        body = json.dumps(content).encode()
        stamp = str(int(time.time()))
        with self.browser() as sender:
            answer = sender.post(
                "/webhook",
                content=body,
                headers={
                    "x-zm-signature": sign(self.zoom.app.webhook_secret, stamp, body),
                    "x-zm-request-timestamp": stamp,
                },
            )
        return answer.status_code

    def metric(self, name: str) -> float:
        """A line of `/metrics`."""
        lines = httpx.get(f"{self.private_url}/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def log(self) -> list[dict[str, Any]]:
        """End the service; what it has logged."""
        self.process.send_signal(signal.SIGTERM)
        _out, errors = self.process.communicate(timeout=30)
        return [json.loads(line) for line in errors.splitlines() if line.startswith("{")]


def started(folder: Path, zoom: SimulatedZoom, public_url: str, trusted: Sequence[str]) -> Any:
    """`paraph serve` in a process, with its two URLs."""
    app = zoom.app
    settings = {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "webhook_secrets": [app.webhook_secret],
        "public_url": public_url,
        "public_bind": "127.0.0.1:0",
        "private_bind": "127.0.0.1:0",
        "encryption_keys": [new_encryption_key()],
        "linking": "none",
        "drain_seconds": 0,
        "authorization_server": zoom.url,
        "api_servers": [zoom.url],
        "trusted_proxies": list(trusted),
    }
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    (folder / "paraph.toml").write_text(text)
    (folder / "paraph.toml").chmod(0o600)
    environment = {name: v for name, v in os.environ.items() if not name.startswith("PARAPH_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "paraph.cli.main", "serve"],
        cwd=folder,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    urls = dict(process.stdout.readline().split() for _ in range(2))
    return process, urls


@contextmanager
def deployed(folder: Path, trusted: Sequence[str]) -> Iterator[Deployment]:
    """All of it. A port that was taken meanwhile is chosen anew."""
    demand_nginx()
    pem, context = certificate(folder)
    for attempt in range(5):
        with ExitStack() as stack:
            first, second = free_port(), free_port()
            url = f"https://localhost:{first}"
            zoom = simulated_zoom(url)
            stack.callback(zoom.stop)
            place = folder / str(attempt)
            place.mkdir()
            process, urls = started(place, zoom, url, trusted)
            stack.callback(process.kill)
            service = int(urls["listening"].rpartition(":")[2])
            try:
                stack.enter_context(
                    nginx(place / "2", port=second, to=service, source=SECOND, pem=None)
                )
                stack.enter_context(
                    nginx(place / "1", port=first, to=second, source=FIRST, pem=pem)
                )
            except OSError:
                continue
            yield Deployment(zoom, Proxies(url, context), urls["private"], process)
            return
    raise AssertionError("no port stayed free")


def test_an_installation_lives_and_ends_behind_two_proxies(tmp_path: Path) -> None:
    """Install, a delivery and the removal pass where both proxies are named."""
    with deployed(tmp_path, [FIRST, SECOND]) as one:
        with one.browser() as browser:
            start = browser.get("/install")
            assert 303 == start.status_code, start.text
            consent = httpx.get(start.headers["location"])
            end = browser.get(consent.headers["location"])
        assert (303, "/installed") == (end.status_code, end.headers["location"])
        assert 200 == one.deliver("meeting.ended", MEETING)
        removal = {
            "account_id": ACCOUNT,
            "user_id": JANE,
            "deauthorization_time": iso(time.time() + 1),
            "client_id": one.zoom.app.client_id,
        }
        assert 200 == one.deliver("app_deauthorized", removal)
        assert 0 == one.metric("paraph_requests_refused_by_proxy_headers_total")
        log = one.log()
    believed = [line for line in log if line["event"] == "proxies.believed"]
    assert [[f"{FIRST}/32", f"{SECOND}/32"]] == [line["trusted_proxies"] for line in believed]


@pytest.mark.parametrize(
    ("named", "reason", "told"),
    [
        ([SECOND], "untrusted_hop", ("hop", FIRST)),
        ([FIRST], "untrusted_peer", ("peer", SECOND)),
    ],
    ids=["the first is not named", "the second is not named"],
)
def test_an_unnamed_proxy_is_counted_and_logged(
    tmp_path: Path, named: list[str], reason: str, told: tuple[str, str]
) -> None:
    """Nothing passes a proxy that is not named, and the log says which one, and what to do."""
    with deployed(tmp_path, named) as one:
        with one.browser() as browser:
            assert 400 == browser.get("/install").status_code
        assert [400, 400] == [one.deliver("meeting.ended", MEETING) for _ in range(2)]
        label = f'{{reason="{reason}"}}'
        assert 3 == one.metric(f"paraph_requests_refused_by_proxy_headers_total{label}")
        assert 2 == one.metric(f"paraph_deliveries_refused_total{label}")
        lines = [line for line in one.log() if line["event"] == "request.refused_by_proxy_headers"]
    assert [reason] == [line["reason"] for line in lines]
    assert told[1] == lines[0][told[0]]
    assert "trusted_proxies" in lines[0]["remedy"]
