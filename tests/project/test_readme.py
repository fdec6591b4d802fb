"""The examples of the README run as they are printed."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from installs.install_kit import CLIENT_SECRET, REDIRECT_URI, SEALING_KEY
from paraph.sealing.encryption_key import new_encryption_key
from paraph.simulator.webhooks.webhook_sender import sign

TEXT = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
WEBHOOKS, INSTALLS, INSIDE, CLIENT = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SECRET = "zm-7hTq2LwX9fKd"


def run(code: str, **names: Any) -> dict[str, Any]:
    """Run an example; return its names."""
    exec(compile(code, "README.md", "exec"), names)
    return names


def test_the_examples_have_ten_lines_at_most() -> None:
    """A reader sees each way in at one glance; empty lines do not count."""
    examples = (WEBHOOKS, INSTALLS, INSIDE, CLIENT)
    assert all(len(list(filter(None, one.splitlines()))) <= 10 for one in examples)


def test_the_answer_has_ten_sentences() -> None:
    """The question of the forum is answered in ten numbered sentences, one full stop each."""
    answer = re.findall(r"^\d+\. (.*)$", TEXT, re.MULTILINE)

    assert 10 == len(answer)
    assert [] == [one for one in answer if 1 != len(re.findall(r"\.(?:\s|$)", one))]


def test_the_example_of_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A genuine webhook gets 200, a forged one its rejection."""
    monkeypatch.setenv("ZOOM_SECRET_TOKEN", SECRET)
    respond = run(WEBHOOKS, os=os)["respond"]
    body = json.dumps({"event": "meeting.ended", "payload": {"account_id": "a1"}}).encode()
    now = str(int(time.time()))
    headers = {"x-zm-request-timestamp": now, "x-zm-signature": sign(SECRET, now, body)}

    assert (200, b"{}") == respond(headers, body)
    assert 401 == respond(headers, body + b" ")[0]


def test_the_example_of_installs() -> None:
    """The flow begins with a redirect to Zoom and a cookie."""
    names = run(
        INSTALLS,
        CLIENT_ID="MbK0lSJlRLmjSpCCOlFoXQ",
        CLIENT_SECRET=CLIENT_SECRET,
        REDIRECT_URI=REDIRECT_URI,
        SEALING_KEY=SEALING_KEY,
        use_state=lambda _hash, _until: True,
    )

    assert names["redirect"].location.startswith("https://zoom.us/oauth/authorize?")
    assert "__Host-" in names["redirect"].set_cookie


def test_the_example_inside_an_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app is an ASGI application whose handler is registered."""
    monkeypatch.chdir(tmp_path)
    settings = {
        "CLIENT_ID": "MbK0lSJlRLmjSpCCOlFoXQ",
        "CLIENT_SECRET": CLIENT_SECRET,
        "WEBHOOK_SECRETS": json.dumps([SECRET]),
        "ENCRYPTION_KEYS": json.dumps([new_encryption_key()]),
        "PUBLIC_URL": "https://tidemark.example",
        "LINK_URL": "",
        "START_URL": "",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"PARAPH_{name}", value)

    assert callable(run(INSIDE)["app"])


def test_the_example_of_the_client() -> None:
    """The client knows the call; no request is sent before it is needed."""
    names = run(CLIENT, api_key="pk_example_0001")

    assert callable(names["display_name"])
    names["zoom"].close()
