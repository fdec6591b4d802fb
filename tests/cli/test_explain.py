"""`paraph explain`, as a person runs it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paraph.simulator.webhook_sender import sign
from paraph.storage.encryption import new_encryption_key
from vector_files import FOLDER

SECRET = "hN71_0cYwe-Ty6dRmVq"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Settings of an app, in a folder of their own."""
    (tmp_path / "paraph.toml").write_text(
        f"""
client_id = "AbCdEf123456"
client_secret = "kF93-2bXq0-Zr8sLpW"
webhook_secrets = ["{SECRET}"]
public_url = "https://zoom.tidemark.example"
encryption_keys = ["{new_encryption_key()}"]
linking = "none"
"""
    )
    return tmp_path


def explain(folder: Path, kind: str, request: bytes, *options: str) -> tuple[int, str]:
    """Run the command over a request on standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "paraph.cli.main", "explain", kind, "-", *options],
        input=request,
        capture_output=True,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("PARAPH_")},
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    return done.returncode, (done.stdout + done.stderr).decode()


def delivery(body: bytes, *, key: str = SECRET, at: int | None = None) -> bytes:
    """A webhook as somebody captured it."""
    stamp = str(int(time.time()) if at is None else at)
    return (
        f"POST /webhook HTTP/1.1\r\nHost: zoom.tidemark.example\r\n"
        f"X-Zm-Request-Timestamp: {stamp}\r\nX-Zm-Signature: {sign(key, stamp, body)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


BODY = b'{"event":"meeting.ended","event_ts":1,"payload":{"account_id":"a","object":{}}}'


def test_a_genuine_delivery_holds_at_every_step(folder: Path) -> None:
    """Accepted, exit 0, one line for each step."""
    code, said = explain(folder, "webhook", delivery(BODY))

    assert (0, "verdict: accepted") == (code, said.splitlines()[-1])
    assert ["held"] == sorted({line.split()[0] for line in said.splitlines()[:-1]})


@pytest.mark.parametrize(
    ("request_bytes", "step"),
    [
        (delivery(BODY, key="another-secret-xyz"), "refused   signature:"),
        (delivery(BODY, at=1_600_000_000), "refused   freshness:"),
        (delivery(BODY).replace(b"meeting.ended", b"meeting.begun"), "refused   signature:"),
        (delivery(BODY).replace(b"X-Zm-Signature", b"X-Other"), "refused   one signature header:"),
        (delivery(b"[]"), "refused   event:"),
    ],
    ids=["key", "old", "changed", "unsigned", "no event"],
)
def test_a_refused_delivery_says_at_which_step(
    folder: Path, request_bytes: bytes, step: str
) -> None:
    """Refused, exit 1, and the step that refused it with the reason."""
    code, said = explain(folder, "webhook", request_bytes)

    assert 1 == code
    assert step in said
    assert "verdict: refused" == said.splitlines()[-1]
    assert SECRET not in said


def test_a_capture_is_judged_as_of_its_own_time(folder: Path) -> None:
    """--at sets the clock back to when the capture was made."""
    old = delivery(BODY, at=1_700_000_000)

    assert 1 == explain(folder, "webhook", old)[0]
    assert 0 == explain(folder, "webhook", old, "--at", "1700000010")[0]


def test_a_har_entry_is_read_as_well(folder: Path) -> None:
    """What a browser's or proxy's recorder exports: the same verdict."""
    head, _, body = delivery(BODY).partition(b"\r\n\r\n")
    headers = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    entry = {
        "request": {
            "method": "POST",
            "url": "https://zoom.tidemark.example/webhook",
            "headers": [{"name": name, "value": value} for name, value in headers],
            "postData": {"text": base64.b64encode(body).decode(), "encoding": "base64"},
        }
    }

    assert 0 == explain(folder, "webhook", json.dumps({"log": {"entries": [entry]}}).encode())[0]
    assert 0 == explain(folder, "webhook", json.dumps(entry).encode())[0]


@pytest.mark.parametrize(
    "captured",
    [b"", b"\x00\xff", b"nonsense", b"{", b'{"a":1}', b"GET / HTTP/1.1\r\nbroken\r\n\r\n"],
)
@pytest.mark.parametrize("kind", ["webhook", "context", "callback"])
def test_what_is_no_request_gets_two_lines(folder: Path, kind: str, captured: bytes) -> None:
    """One line that says what is wrong, and one that says what to give instead."""
    code, said = explain(folder, kind, captured)

    assert 1 == code
    assert 2 == len(said.splitlines())
    assert "HAR entry" in said


def test_a_marketplace_callback_is_named_as_one(folder: Path) -> None:
    """A code without state did not begin in the app, and the explanation says so."""
    code, said = explain(folder, "callback", b"GET /oauth/redirect?code=abc HTTP/1.1\r\n\r\n")

    assert 1 == code
    assert "there is no state: this did not begin in the app" in said


def test_a_forged_callback_stops_at_the_state(folder: Path) -> None:
    """Without this browser's cookie nothing after the shape holds; the state is not repeated."""
    target = f"/oauth/redirect?code=abc&state={'s' * 43}"
    code, said = explain(folder, "callback", f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    assert 1 == code
    assert "held      shape" in said and "refused   state" in said and "not asked age" in said
    assert "s" * 43 not in said


def test_an_app_context_is_explained(folder: Path) -> None:
    """A header of another app does not decrypt, and that is the step that says so."""
    vectors = json.loads((FOLDER / "app_context.json").read_bytes())["contexts"]
    header = next(one["header"] for one in vectors if one["result"] == "valid")
    request = f"GET / HTTP/1.1\r\nX-Zoom-App-Context: {header}\r\n\r\n".encode()
    code, said = explain(folder, "context", request)

    assert 1 == code
    assert "refused" in said and "verdict: refused" in said
