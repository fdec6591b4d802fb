"""The tutorial on webhooks: its code in an app that exists already, its commands line by line."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from paraph.simulator.webhooks.webhook_sender import sign
from ports import reserve_ports
from programs import need_program

PAGE = (Path(__file__).parents[2] / "docs/tutorials/webhooks.md").read_text(encoding="utf-8")
IN_FLASK, WITHOUT = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
SECRET = "zm-7hTq2LwX9fKd"
BODY = json.dumps({"event": "meeting.ended", "payload": {"account_id": "a1"}}).encode()
APP = "from flask import Flask\n\napp = Flask(__name__)\n\n\n"


def signed(body: bytes) -> dict[str, str]:
    """Return the headers of a delivery of this moment."""
    now = str(int(time.time()))
    return {"x-zm-request-timestamp": now, "x-zm-signature": sign(SECRET, now, body)}


def handled(folder: Path) -> list[tuple[str]]:
    """Return the names of the events that had their effect."""
    with closing(sqlite3.connect(folder / "zoom-events.db")) as db:
        return db.execute("SELECT name FROM handled").fetchall()


def test_the_code_in_an_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event has its effect once; a repetition gets 200, a changed body 401."""
    pytest.importorskip("flask")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOOM_SECRET_TOKEN", SECRET)
    names: dict[str, Any] = {"__name__": "product"}
    exec(compile(APP + IN_FLASK, "app.py", "exec"), names)
    client = names["app"].test_client()
    headers = signed(BODY)

    statuses = [
        client.post("/zoom/webhook", data=body, headers=headers).status_code
        for body in (BODY, BODY, BODY + b" ")
    ]
    assert [200, 200, 401] == statuses
    assert [("meeting.ended",)] == handled(tmp_path)


def test_the_code_without_a_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    """A genuine webhook gets 200, a forged one its rejection."""
    monkeypatch.setenv("ZOOM_SECRET_TOKEN", SECRET)
    names: dict[str, Any] = {}
    exec(compile(WITHOUT, "app.py", "exec"), names)

    assert (200, b"{}") == names["respond"](signed(BODY), BODY)
    assert 401 == names["respond"](signed(BODY), BODY + b" ")[0]


@pytest.mark.slow
def test_the_commands(tmp_path: Path) -> None:
    """The commands of the page send an event, its repetition and a changed one to a running app."""
    pytest.importorskip("flask")
    need_program("curl")
    need_program("openssl")
    (tmp_path / "app.py").write_text(APP + IN_FLASK, encoding="utf-8")
    trial = PAGE.partition("## 3. Try it")[2].partition("## 4.")[0]
    commands = "".join(re.findall(r"^```sh\n(.*?)^```", trial, re.DOTALL | re.MULTILINE))
    (port,) = reserve_ports(1)
    # The page waits three seconds; a busy machine may need longer.
    wait = f"curl --silent --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:{port}/"
    commands = commands.replace(":5000/", f":{port}/").replace("sleep 3", wait)
    ran = subprocess.run(
        ["bash", "-mc", commands],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "FLASK_RUN_PORT": str(port),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert ["200", "200", "401"] == re.findall(r"^\{.*\} (\d+)$", ran.stdout, re.MULTILINE)
    assert "[('meeting.ended',)]" == ran.stdout.splitlines()[-1]
