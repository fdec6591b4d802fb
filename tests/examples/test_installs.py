"""The products on `paraph.installs` under attack: Flask, and a Lambda function behind a gateway."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from paraph.checks.runner import select
from paraph.sealing.encryption_key import new_encryption_key
from paraph.simulator.webhooks.webhook_sender import sign
from programs import skip_test

HERE = Path(__file__).parent
GROUPS = ("start", "redirection", "token", "webhook")
# Another registration, a server that announces `iss`, and responses that name the client: each is a
# property of Zoom's side that these products do not have.
NOT_APPLICABLE = {"cb-iss-removed", "cb-mixup", "tok-wrong-client"}
# The forum question's own attack, login CSRF, a stolen code, and a forged webhook.
SENTINELS = ["start-browser-bound", "cb-flood-random-codes", "cb-state-cross-browser"]


def attacked(target: str, report: Path, *arguments: str) -> dict[str, str]:
    """Run `paraph check` in a process of its own; the verdict of each case, or why it is wrong."""
    if target == "installs_flask" and find_spec("gunicorn") is None:
        skip_test("gunicorn is not installed")
    command = [sys.executable, "-m", "paraph", "check", str(HERE / f"{target}.toml"), "--jobs", "2"]
    done = subprocess.run(
        [*command, "--format", "json", "--output", str(report), *arguments],
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), done.stderr[-3000:]
    found = json.loads(report.read_text())["cases"]
    return {
        one["id"]: one["verdict"]
        if one["verdict"] in {"pass", "not-applicable"}
        else f"{one['verdict']}: {one['reason']}"
        for one in found
    }


def test_random_requests_and_another_browser_are_refused(tmp_path: Path) -> None:
    """One case of each kind passes on the Lambda function, in a few seconds."""
    only = [word for one in SENTINELS for word in ("--only", one)]
    found = attacked("installs_lambda", tmp_path / "report.json", *only)
    assert dict.fromkeys(SENTINELS, "pass") == found


WEBHOOK_SECRET = "zm-7hTq2LwX9fKd-sT4"
CLIENT_ID = "MbK0lSJlRLmjSpCCOlFoXQ"


def product(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of an example, with a database of its own."""
    path = HERE.parents[1] / "examples" / name
    values = {
        "DATABASE": str(folder / f"{path.parent.name}.db"),
        "SECRET_KEY": "jx1-kW0qz8Rn4vUc7bYt2mPs5dLf9hGa3eXo6iKr",
        "SEALING_KEY": new_encryption_key(),
        "VAULT_KEY": Fernet.generate_key().decode(),
        "ZOOM_CLIENT_ID": CLIENT_ID,
        "ZOOM_CLIENT_SECRET": "k3Jf8sLq2Wx9Zr5Tb7Yh",
        "ZOOM_REDIRECT_URI": "https://app.example/zoom/callback",
        "ZOOM_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }
    for variable, value in values.items():
        monkeypatch.setenv(variable, value)
    # The Flask product has its tables in a module beside it, made for this database.
    monkeypatch.syspath_prepend(str(path.parent))
    monkeypatch.delitem(sys.modules, "tables", raising=False)
    spec = importlib.util.spec_from_file_location(path.parent.name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def removal(at: float) -> tuple[bytes, dict[str, str]]:
    """A removal of Jane at this time, signed now."""
    payload = {"client_id": CLIENT_ID, "account_id": "a1", "user_id": "u1"}
    payload["deauthorization_time"] = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%XZ")
    body = json.dumps({"event": "app_deauthorized", "payload": payload}).encode()
    stamp = str(int(time.time()))
    signature = sign(WEBHOOK_SECRET, stamp, body)
    return body, {"x-zm-request-timestamp": stamp, "x-zm-signature": signature}


def invocation(method: str, path: str, **more: Any) -> dict[str, Any]:
    """What a gateway passes to a function."""
    context = {"requestContext": {"http": {"method": method}}, "rawPath": path, "headers": {}}
    return {**context, "rawQueryString": "", **more}


def posted_to_flask(module: Any, delivery: tuple[bytes, dict[str, str]]) -> int:
    """Send to the Flask product; return the status."""
    body, headers = delivery
    found: int = (
        module.app.test_client().post("/zoom/webhook", data=body, headers=headers).status_code
    )
    return found


def posted_to_lambda(module: Any, delivery: tuple[bytes, dict[str, str]]) -> int:
    """Send to the Lambda product; return the status."""
    body, headers = delivery
    event = invocation("POST", "/zoom/webhook", headers=headers, body=body.decode())
    found: int = module.handler(event, None)["statusCode"]
    return found


@pytest.mark.parametrize(
    ("name", "post"),
    [("installs_flask/app.py", posted_to_flask), ("installs_lambda/handler.py", posted_to_lambda)],
)
def test_a_removal_ends_the_install_that_it_concerns(
    name: str, post: Callable[[Any, Any], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its replay nor one that comes late deletes a newer install."""
    module = product(name, tmp_path, monkeypatch)
    sql, now = getattr(module, "tables", module).sql, int(time.time())

    def install(at: int) -> None:
        sql("INSERT INTO installs VALUES ('jane', 'a1', 'u1', 'Jane', x'00', ?)", at)

    def installs() -> list[tuple[str]]:
        found: list[tuple[str]] = sql("SELECT subject FROM installs")
        return found

    install(now - 60)
    first = removal(now - 30)
    assert (200, []) == (post(module, first), installs())
    install(now - 60)
    assert (200, [("jane",)]) == (post(module, first), installs())
    assert (200, [("jane",)]) == (post(module, removal(now - 90)), installs())
    assert (200, []) == (post(module, removal(now)), installs())


def test_the_lambda_product_refuses_odd_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cookie or form that is not its own is no error; a gateway may encode the form."""
    handler = product("installs_lambda/handler.py", tmp_path, monkeypatch).handler
    for value in ("a.\u00e9", "\u00e9", "\ud800", ".", ""):
        event = invocation("POST", "/zoom/start", cookies=[f"__Host-session={value}"])
        assert 403 == handler(event, None)["statusCode"]
    for more in ({}, {"body": ""}, {"body": "user="}, {"body": "\u00e9%ff"}):
        assert 400 == handler(invocation("POST", "/sign-in", **more), None)["statusCode"]
    form = {"body": base64.b64encode(b"user=jane").decode(), "isBase64Encoded": True}
    response = handler(invocation("POST", "/sign-in", **form), None)
    assert 303 == response["statusCode"]
    cookie = response["cookies"][0].partition(";")[0]
    begun = handler(invocation("POST", "/zoom/start", cookies=[cookie]), None)
    assert 303 == begun["statusCode"]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["installs_flask", "installs_lambda"])
def test_the_products_withstand_every_attack(target: str, tmp_path: Path) -> None:
    """Every case of four groups passes, except those that do not apply."""
    groups = [word for one in GROUPS for word in ("--group", one)]
    found = attacked(target, tmp_path / "report.json", *groups)
    other = {one: verdict for one, verdict in found.items() if verdict != "pass"}
    assert dict.fromkeys(NOT_APPLICABLE, "not-applicable") == other
    assert len(select([], GROUPS)) == len(found)
