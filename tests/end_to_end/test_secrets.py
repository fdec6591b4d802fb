"""Nothing that could be used by somebody else stands in any file, log or response."""

from __future__ import annotations

import base64
import json
import re
import time
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Browser, Error, Response, expect

from end_to_end.running_demo import RunningDemo
from end_to_end.test_browser import install_from_marketplace

pytestmark = pytest.mark.browser


class Recorder:
    """Every response of service and host that a browser got, and the secrets on its way."""

    def __init__(self, demo: RunningDemo) -> None:
        self._demo = demo
        self.texts: list[tuple[str, str]] = []
        self.canaries: dict[str, str] = {}
        self.unread: set[str] = set()

    def note(self, response: Response) -> None:
        """Keep what may not hold a secret, and learn the secrets that passed where they must."""
        parts = urlsplit(response.url)
        for name in ("code", "state", "handoff", "request"):
            for value in parse_qs(parts.query).get(name, []):
                self.canaries[f"{name} {value[:6]}"] = value
        if not response.url.startswith((self._demo.service, self._demo.host)):
            return
        where = f"{response.request.method} {parts.path}"
        if "event-stream" not in response.headers.get("content-type", ""):
            for one in response.headers_array():
                self._header(where, one["name"].lower(), one["value"])
            if not 300 <= response.status < 400 and response.status != 204:
                self._body(where, response)

    def _body(self, where: str, response: Response) -> None:
        try:
            self.texts.append((where, response.text()))
        except Error:
            # The browser forgets what it has navigated away from, sometimes before we could ask.
            self.unread.add(where)

    def _header(self, where: str, name: str, value: str) -> None:
        if name == "set-cookie":
            cookie = value.partition(";")[0].partition("=")[2]
            if len(cookie) > 12:
                self.canaries[f"cookie {cookie[:6]}"] = cookie
        elif name == "location":
            # `state` to Zoom, the handoff and the link request's code to their one place.
            allowed = r"((?:state|handoff|request)=)[^&]+"
            self.texts.append((f"{where} location", re.sub(allowed, r"\1", value)))
        else:
            self.texts.append((f"{where} {name}", value))

    def learn_from_journal(self, entries: list[dict[str, Any]]) -> None:
        """Codes, verifiers, tokens and credentials as they reached Zoom."""
        for entry in entries:
            for name, value in entry["form"]:
                if name in {"code", "code_verifier", "refresh_token", "token"}:
                    self.canaries[f"{name} {value[:6]}"] = value
            for name, value in entry["headers"]:
                if name == "authorization":
                    self.canaries[f"authorization {value[:12]}"] = value.partition(" ")[2]


def spellings(secret: str) -> list[bytes]:
    """A secret as it might stand somewhere: raw, URL-encoded, in base64 at any offset."""
    raw = secret.encode()
    shifted = [base64.b64encode(b"x" * n + raw)[4:-4] for n in range(3)]
    return [raw, quote(secret, safe="").encode(), *(one for one in shifted if len(one) > 12)]


def found_in(content: bytes, canaries: dict[str, str]) -> list[str]:
    """Which canaries stand in some bytes."""
    return [
        name
        for name, secret in canaries.items()
        if any(spelling in content for spelling in spellings(secret))
    ]


@pytest.mark.slow
def test_no_secret_in_database_log_or_response(host_demo: RunningDemo, browser: Browser) -> None:
    """After installs, attacks, events and a decided removal, a scan finds no canary anywhere."""
    demo = host_demo
    recorder = Recorder(demo)
    context = browser.new_context()
    page = context.new_page()
    page.on("response", recorder.note)
    install_from_marketplace(page, demo, "Ada Lund")
    page.goto(f"{demo.service}/oauth/redirect?code=stray{'c' * 28}&state={'s' * 43}")
    page.wait_for_load_state("networkidle")
    page.goto(demo.host)
    page.get_by_role("button", name="Install from here").click()
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator(".installation")).to_have_count(1)
    for number in range(page.locator(".attack").count()):
        page.locator(".attack").nth(number).get_by_role("button", name="Attack").click()
        expect(page.locator(".attack").nth(number).locator(".verdict")).to_be_visible()
    _remove_unclearly(demo)
    context.close()

    recorder.learn_from_journal(demo.ask_zoom("GET", "/journal")["entries"])
    world = demo.ask_zoom("GET", "/world")["apps"][0]
    settings = tomllib.loads((demo.folder / "paraph.toml").read_text())
    key = settings["encryption_keys"][0].partition(":")[2]
    recorder.canaries["encryption key"] = key
    recorder.canaries["forward secret"] = settings["forward_secrets"][0].removeprefix("whsec_")
    recorder.canaries["client secret"] = world["client_secret"]
    recorder.canaries["webhook secret"] = world["webhook_secret"]
    kinds = {name.partition(" ")[0] for name in recorder.canaries}
    expected = {"authorization", "client", "code", "code_verifier", "cookie", "handoff"}
    assert expected | {"refresh_token", "request", "state", "webhook"} <= kinds

    # Whatever could not be read once was read another time.
    assert recorder.unread <= {where for where, _ in recorder.texts}
    leaks = [
        (where, hit)
        for where, text in recorder.texts
        for hit in found_in(text.encode(), recorder.canaries)
    ]
    # All that was written, but for the two files that tell service and simulator their secrets.
    files = [one for one in demo.folder.rglob("*") if one.is_file() and one.suffix != ".toml"]
    written = {path.name for path in files if path.stat().st_size}
    assert {"paraph.db", "paraph.db-wal", "service.log", "simulator.log"} <= written
    for path in files:
        known = dict(recorder.canaries)
        if path.name == "simulator.log":
            # The simulator prints its made-up credentials for the developer, on purpose.
            known = {k: v for k, v in known.items() if not k.endswith(" secret")}
        leaks += [(path.name, hit) for hit in found_in(path.read_bytes(), known)]
    assert [] == leaks


def _remove_unclearly(demo: RunningDemo) -> None:
    """A removal in the consent's own minute, so that a refresh token travels as well."""
    user = demo.ask_zoom("GET", "/grants")["grants"][0]
    payload = {
        "client_id": user["client_id"],
        "account_id": user["account_id"],
        "user_id": user["user_id"],
        "deauthorization_time": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
    }
    order = {"client_id": user["client_id"], "event": "app_deauthorized", "payload": payload}
    before = len(demo.token_requests())
    demo.ask_zoom("POST", "/events", order)
    deadline = time.monotonic() + 15
    while len(demo.token_requests()) == before:
        assert time.monotonic() < deadline, "the removal was not decided"
        time.sleep(0.1)


def test_the_scan_finds_what_is_there(tmp_path: Path) -> None:
    """The scan itself: a canary is found raw, encoded, and inside base64 at any offset."""
    secret = "canary-value+with/odd=signs-0123456789"
    for content in (
        secret,
        json.dumps({"x": secret}),
        quote(secret, safe=""),
        *(base64.b64encode(f"{'y' * n}{secret}zz".encode()).decode() for n in range(3)),
    ):
        assert ["it"] == found_in(content.encode(), {"it": secret})
    assert [] == found_in(b"nothing here", {"it": secret})
