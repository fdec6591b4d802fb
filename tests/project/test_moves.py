"""The guides that move an app to paraph: their code runs as it is printed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest

from installs.install_kit import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, SEALING_KEY, Kit
from paraph import NotFound
from paraph.installs import InstallFlow, InstallResult
from paraph.simulator.webhooks.webhook_sender import sign
from programs import need_program

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
SECRET = "zm-7hTq2LwX9fKd"
VALUES = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "SEALING_KEY": SEALING_KEY}


def blocks(page: str, language: str = "python") -> list[str]:
    """The code blocks of a guide."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run(code: str, **names: Any) -> dict[str, Any]:
    """Run a block; return its names."""
    names = {"__name__": "product", **names}
    exec(compile(code, "guide.md", "exec"), names)
    return names


def flow_of(kit: Kit) -> Callable[..., InstallFlow]:
    """`InstallFlow` in front of the scripted Zoom of a kit."""

    def made(**arguments: Any) -> InstallFlow:
        rest = {"clock": lambda: kit.now, "transport": httpx.MockTransport(kit.zoom.answer)}
        return InstallFlow(**{**rest, **arguments})

    return made


def test_a_home_made_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """An install goes through the two functions, and a forged response is refused."""
    _, code = blocks("move-from-own-flow")
    kit = Kit()
    kept: list[InstallResult] = []
    monkeypatch.setattr("paraph.installs.InstallFlow", flow_of(kit))
    names = run(
        code, **VALUES, REDIRECT_URI=REDIRECT_URI, use_state=kit.used.use, keep_install=kept.append
    )
    status, headers, _ = names["start"]("acct_42")
    sent = dict(headers)
    state = httpx.URL(sent["Location"]).params["state"]
    cookie = sent["Set-Cookie"].partition(";")[0]

    assert 303 == status
    url = f"{REDIRECT_URI}?code=c&state={state}"
    assert 400 == names["finish"](url, "", "acct_42")[0]
    status, headers, _ = names["finish"](url, cookie, "acct_42")
    assert (303, "/") == (status, dict(headers)["Location"])
    assert ["jane"] == [one.user_id for one in kept]


def test_home_made_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A genuine event is handled once; a changed one is refused."""
    code, _ = blocks("move-from-own-flow")
    monkeypatch.setenv("ZOOM_SECRET_TOKEN", SECRET)
    known: set[str] = set()
    handled: list[str] = []

    def is_new(event_id: str) -> bool:
        if event_id in known:
            return False
        known.add(event_id)
        return True

    names = run(code, is_new=is_new, handle=lambda name, _payload: handled.append(name))
    body = json.dumps({"event": "meeting.ended", "payload": {"account_id": "a1"}}).encode()
    now = str(int(time.time()))
    headers = {"x-zm-request-timestamp": now, "x-zm-signature": sign(SECRET, now, body)}

    answers = [names["on_request"](headers, one)[0] for one in (body, body, body + b" ")]
    assert ([200, 200, 401], ["meeting.ended"]) == (answers, handled)


def test_authlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signed-in person starts by a button and comes back with an install."""
    flask = pytest.importorskip("flask")
    (code,) = blocks("move-from-authlib")
    kit = Kit()
    kept: list[tuple[str, str]] = []
    monkeypatch.setattr("paraph.installs.InstallFlow", flow_of(kit))
    app = flask.Flask("product")
    app.secret_key = "only of this test"

    def keep_install(result: Any) -> bool:
        kept.append((result.subject, result.user_id))
        return len(kept) == 1

    names = {f"ZOOM_{name}": value for name, value in VALUES.items()}
    run(code, **names, **VALUES, app=app, use_state=kit.used.use, keep_install=keep_install)
    client = app.test_client()
    with client.session_transaction("https://tidemark.example") as session:
        session["user"] = "acct_42"
    statuses = []
    for _ in range(2):
        began = client.post("/login", base_url="https://tidemark.example")
        state = httpx.URL(began.location).params["state"]
        back = f"/authorize?code=c&state={state}"
        statuses.append(client.get(back, base_url="https://tidemark.example").status_code)

    assert [302, 409] == statuses
    assert [("acct_42", "jane")] * 2 == kept


def test_old_rows_of_allauth(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler deletes the old rows of the user that has connected again."""
    deleted: list[tuple[str, dict[str, str]]] = []
    models = ModuleType("allauth.socialaccount.models")
    for name in ("SocialAccount", "SocialToken"):
        delete = SimpleNamespace(
            filter=lambda name=name, **chosen: SimpleNamespace(
                delete=lambda: deleted.append((name, chosen))
            )
        )
        setattr(models, name, SimpleNamespace(objects=delete))
    django = ModuleType("paraph.integrations.django")
    django.on = lambda name: lambda handler: handler  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "allauth.socialaccount.models", models)
    monkeypatch.setitem(sys.modules, "paraph.integrations.django", django)
    settings, handlers = blocks("move-from-allauth")
    event = SimpleNamespace(payload={"installation": {"subject": "7"}})
    run(handlers)["delete_old_tokens"](event)

    assert "paraph.integrations.django" in run(settings, BASE_DIR=Path())["INSTALLED_APPS"]
    assert [
        ("SocialToken", {"account__user_id": "7", "account__provider": "zoom"}),
        ("SocialAccount", {"user_id": "7", "provider": "zoom"}),
    ] == deleted


def test_users_who_connect_again() -> None:
    """Who has no installation yet is served in the old way."""
    again, _ = blocks("move-tokens")

    def installation(subject: str) -> Any:
        if subject == "new":
            response = SimpleNamespace(json=lambda: {"display_name": "Jane"})
            return SimpleNamespace(get=lambda _path: response)
        raise NotFound("no installation")

    zoom = SimpleNamespace(installation=installation)
    names = run(again, zoom=zoom, old_display_name=lambda user_id: f"old {user_id}")

    assert ["Jane", "old 7"] == [names["display_name"](one) for one in ("new", "7")]


def test_tokens_are_imported_once() -> None:
    """New tokens are kept before the owner is read; a dead refresh token deletes its row."""
    _, code = blocks("move-tokens")
    kit = Kit()
    done: list[Any] = []
    names = run(
        code,
        flow=kit.flow,
        keep_tokens=lambda _row, tokens: done.append(tokens.refresh_token),
        keep_owner=lambda _row, *owner: done.append(owner),
        delete_row=lambda row: done.append(row["id"]),
    )
    names["import_row"]({"id": 1, "refresh_token": "old-1"})
    refused = httpx.Response(400, json={"error": "invalid_grant", "reason": "Invalid Token!"})
    kit.zoom.will("/oauth/token", refused)
    names["import_row"]({"id": 2, "refresh_token": "old-2"})

    assert ["old-1", "old-2"] == [one["refresh_token"] for one in kit.zoom.forms()]
    assert ["refresh-of-jane", ("acme", "jane"), 2] == done


@pytest.mark.slow
def test_the_code_for_node(tmp_path: Path) -> None:
    """Node reads the module, and it has the calls that the table names."""
    node = need_program("node")
    (code,) = blocks("move-from-rivet", "js")
    (tmp_path / "zoom.mjs").write_text(code, encoding="utf-8")
    script = "import('./zoom.mjs').then((it) => console.log(Object.keys(it).join()))"
    ran = subprocess.run(
        [node, "-e", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert "claim,confirm,paraph,startInstall" == ran.stdout.strip()
