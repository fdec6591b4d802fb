"""The code of the advice: it compiles, names what it assumes, and does what it says."""

from __future__ import annotations

import asyncio
import builtins
import hashlib
import hmac
import json
import logging
import re
import sqlite3
import subprocess
import symtable
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
import httpx
import pytest
from cryptography.exceptions import InvalidTag
from fastapi import FastAPI

from paraph.checks.advice import FRAMEWORKS, advice, incidents
from paraph.checks.catalogue import catalogue
from programs import need_program

SECRET = b"a-secret-token-of-zoom"
PYTHON = [
    pytest.param(one.id, name, id=f"{one.id}-{name}")
    for one in advice().values()
    for name in one.code
    if name != "express"
]


def load(name: str, framework: str, **given: Any) -> dict[str, Any]:
    """Run the code of an advice; return its names."""
    names: dict[str, Any] = dict(given)
    exec(advice()[name].code_for(framework), names)
    return names


def send(app: FastAPI, method: str, url: str, **content: Any) -> httpx.Response:
    """One request to an ASGI app in this process."""

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.request(method, url, **content)

    return asyncio.run(run())


def unknown_names(table: symtable.SymbolTable) -> Iterator[str]:
    """The names that code reads and does not define."""
    for symbol in table.get_symbols():
        is_own = symbol.is_assigned() or symbol.is_imported()
        if symbol.is_referenced() and not is_own and symbol.is_global():
            yield symbol.get_name()
    for inner in table.get_children():
        yield from unknown_names(inner)


@pytest.mark.parametrize(("name", "framework"), PYTHON)
def test_python_code_compiles_and_its_assumptions_are_named(name: str, framework: str) -> None:
    """Code reads only names that it defines, or that the line above it describes."""
    code = advice()[name].code[framework]
    table = symtable.symtable(code, name, "exec")
    own = {one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported()}
    described = re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", advice()[name].given)))

    assert set() == {*unknown_names(table)} - own - {*described} - {*dir(builtins)}


def test_javascript_code_is_parsed(tmp_path: Path) -> None:
    """Node accepts the code of every advice."""
    node = need_program("node")
    codes = [
        f"async function advice{number}() {{\n{one.code['express']}\n}}"
        for number, one in enumerate(advice().values())
        if "express" in one.code
    ]
    file = tmp_path / "advice.js"
    file.write_text("\n".join(codes), "utf-8")
    done = subprocess.run([node, "--check", str(file)], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)


def test_code_exists_for_every_framework_or_for_none() -> None:
    """An advice has code for all four frameworks, or is a matter of prose."""
    for one in advice().values():
        shown = {name for name in FRAMEWORKS if one.code_for(name)}
        assert shown in (set(), set(FRAMEWORKS)), one.id
        assert all(len(one.code_for(name).splitlines()) <= 24 for name in FRAMEWORKS), one.id


def test_every_advice_fixes_a_case() -> None:
    """Cases and advice name each other; incidents name known cases and a source."""
    assert {one.advice for one in catalogue().values()} == set(advice())
    assert set(incidents()) <= set(catalogue())
    assert all(one.url.startswith("https://") for found in incidents().values() for one in found)


def signed(body: bytes, seconds: float = 0) -> dict[str, str]:
    """The headers of a delivery of Zoom."""
    stamp = str(int(time.time() + seconds))
    mac = hmac.new(SECRET, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"x-zm-request-timestamp": stamp, "x-zm-signature": f"v0={mac}"}


BODY = b'{"event": "meeting.ended"}'
REFUSED = [
    {},
    signed(BODY, -4000),
    signed(BODY, 4000),
    {**signed(BODY), "x-zm-signature": "v0="},
    {**signed(BODY), "x-zm-signature": "v0=" + "0" * 64},
    {**signed(BODY), "x-zm-request-timestamp": "abc"},
    signed(BODY + b" "),
]


def test_the_webhook_of_flask_verifies() -> None:
    """The Flask code accepts an honest delivery and refuses forged and stale ones alike."""
    app = flask.Flask("advised")
    load("verify-signature", "flask", app=app, SECRET=SECRET, handle=lambda _body: ("", 200))
    client = app.test_client()
    post = client.post("/zoom/webhook", data=BODY, headers=signed(BODY))
    refused = [client.post("/zoom/webhook", data=BODY, headers=one) for one in REFUSED]

    assert 200 == post.status_code
    assert {(401, b"")} == {(one.status_code, one.data) for one in refused}


def test_the_webhook_of_fastapi_verifies() -> None:
    """The FastAPI code accepts an honest delivery and refuses forged and stale ones alike."""

    async def handle(_body: bytes) -> None:
        return None

    app = FastAPI()
    load("verify-signature", "fastapi", app=app, SECRET=SECRET, handle=handle)
    post, *refused = [
        send(app, "POST", "/zoom/webhook", content=BODY, headers=one)
        for one in (signed(BODY), *REFUSED)
    ]

    assert 200 == post.status_code
    assert {(401, b"")} == {(one.status_code, one.content) for one in refused}


def test_the_challenge_is_no_oracle() -> None:
    """A plain token is signed; a text that could be a delivery is not."""
    response = load("challenge", "flask", SECRET=SECRET)["challenge_response"]
    expected = hmac.new(SECRET, b"qgg8vlvZRS6UYooatFL8Aw", "sha256").hexdigest()
    found = response({"payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}})
    wrong: list[Any] = ["v0:1700000000:{}", "short", "a" * 22 + "\n", None, 7, {}]

    assert {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": expected} == found
    assert {None} == {response({"payload": {"plainToken": one}}) for one in wrong}
    assert response({"payload": "text"}) is None


SCRIPT = """
const SECRET = %(secret)s;
const KEYS = { k1: Buffer.alloc(32, 7) };
const given = (name) => (name === "express" ? { raw() {} } : require(name));
const { isFromZoom, challengeResponse, seal, unseal, isAllowed } = ((require, app) => {
%(code)s
return { isFromZoom, challengeResponse, seal, unseal, isAllowed };
})(given, { post() {} });
const [name, sealed] = seal("token", "grants/1");
let swapped = "opened";
try { unseal(name, sealed, "grants/2"); } catch { swapped = "refused"; }
console.log(JSON.stringify([
  %(headers)s.map(([stamp, mac]) => isFromZoom(stamp, mac, Buffer.from(%(body)s))),
  challengeResponse({ payload: { plainToken: "v0:1700000000:x" } }),
  unseal(name, sealed, "grants/1"), swapped,
  [1, 2, 3].map(() => isAllowed("a", 2)),
]));
"""


def test_javascript_verifies_and_seals(tmp_path: Path) -> None:
    """The JavaScript code accepts and refuses the same deliveries, and opens only its own row."""
    node = need_program("node")
    names = ("verify-signature", "challenge", "seal-tokens", "rate-limit")
    code = "\n".join(advice()[name].code["express"] for name in names)
    # Two parts require the same functions.
    code = re.sub(r"^const \{[^}]*\} = require.*$", "", code, flags=re.MULTILINE)
    functions = "createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual"
    places = ("x-zm-request-timestamp", "x-zm-signature")
    values = {
        "secret": json.dumps(SECRET.decode()),
        "code": f'const {{ {functions} }} = require("node:crypto");\n{code}',
        "headers": json.dumps([[one.get(p) for p in places] for one in (signed(BODY), *REFUSED)]),
        "body": json.dumps(BODY.decode()),
    }
    file = tmp_path / "run.js"
    file.write_text(SCRIPT % values, "utf-8")
    done = subprocess.run([node, str(file)], capture_output=True, text=True, check=False)

    assert "" == done.stderr
    expected = [[True] + [False] * len(REFUSED), None, "token", "refused", [True, True, False]]
    assert expected == json.loads(done.stdout)


def test_python_opens_a_ciphertext_in_its_own_row_only() -> None:
    """A sealed token opens with every key of the ring, and in no other row."""
    keys = {"k2": b"2" * 32, "k1": b"1" * 32}
    names = load("seal-tokens", "django", KEYS=keys)
    name, sealed = names["seal"]("token", b"grants/1")

    assert ("k2", "token") == (name, names["unseal"](name, sealed, b"grants/1"))
    with pytest.raises(InvalidTag):
        names["unseal"](name, sealed, b"grants/2")


def test_the_access_log_hides_codes() -> None:
    """The filter keeps the arguments of a record, and hides the values of secrets in them."""
    logger = logging.getLogger("uvicorn.access")
    before = [*logger.filters]
    redact = load("redact-logs", "fastapi")["Redact"]()
    for one in [*logger.filters]:
        if one not in before:
            logger.removeFilter(one)
    arguments = ("127.0.0.1:1", "GET", "/zoom/redirect?code=c1&state=s1&x=1", "1.1", 303)
    record = logging.LogRecord("a", 20, "a.py", 1, "%s %s %s %s %d", arguments, None)

    assert redact.filter(record)
    assert "127.0.0.1:1 GET /zoom/redirect?code=…&state=…&x=1 1.1 303" == record.getMessage()


def test_deliveries_are_new_once_and_stored_first(db: sqlite3.Connection) -> None:
    """A body is new once; a stored one is processed once, also after a restart."""
    db.execute("CREATE TABLE deliveries (key PRIMARY KEY)")
    db.execute("CREATE TABLE inbox (body, done)")
    is_new = load("deduplicate", "flask", db=db)["is_new"]
    done: list[bytes] = []
    inbox = load("store-first", "django", db=db, process=done.append)
    inbox["handle"](BODY)
    inbox["work"]()
    inbox["work"]()

    assert [True, False, True] == [is_new(BODY), is_new(BODY), is_new(b"{}")]
    assert [BODY] == done


def test_a_removal_deletes_exactly_its_installation(db: sqlite3.Connection) -> None:
    """Only the pair of account and user goes, if it is older than the removal, and its data."""
    db.execute("CREATE TABLE removals (client_id, account_id, user_id, at)")
    for table in ("installations", "user_data"):
        db.execute(f"CREATE TABLE {table} (client_id, account_id, user_id, installed_at)")
        rows = [("c", "a", "u", 10), ("c", "a", "v", 10), ("c", "b", "u", 10), ("c", "d", "u", 99)]
        db.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", rows)
    remove = load("removal", "flask", db=db, CLIENT_ID="c", zoom_time=float)["remove"]
    payload = {"user_id": "u", "deauthorization_time": 1e9, "user_data_retention": "false"}
    for client, account in (("c", "a"), ("other", "b"), ("c", "d")):
        remove({"payload": {**payload, "client_id": client, "account_id": account}}, 50)
    left = [("a", "v"), ("b", "u"), ("d", "u")]

    for table in ("installations", "user_data"):
        found = db.execute(f"SELECT account_id, user_id FROM {table} ORDER BY 1, 2").fetchall()
        assert left == found


def test_the_rate_limit_starts_again() -> None:
    """A key is limited within its time, and free after it."""
    is_allowed = load("rate-limit", "flask")["is_allowed"]
    seen = [is_allowed("a", most=2, seconds=60, now=now) for now in (0, 1, 2, 61)]

    assert [True, True, False, True] == seen


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """A database in memory."""
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


def test_a_flow_is_taken_once_by_its_own_browser(db: sqlite3.Connection) -> None:
    """A state works once, in its browser, for ten minutes."""
    db.execute("CREATE TABLE flows (state, browser, began, verifier, user_id)")
    now = time.time()
    rows = [("s", "b", now, "v", "u"), ("old", "b", now - 601, "v", "u")]
    db.executemany("INSERT INTO flows VALUES (?, ?, ?, ?, ?)", rows)
    take = load("use-once", "flask", db=db)["take_flow"]

    assert [None, ("v", "u"), None, None] == [
        take("s", "other"),
        take("s", "b"),
        take("s", "b"),
        take("old", "b"),
    ]


@pytest.mark.parametrize("framework", ["flask", "fastapi"])
def test_the_redirection_endpoint_checks_first(framework: str) -> None:
    """Nothing is installed without one state, one code, no error and the browser's cookie."""
    installed: list[str] = []

    def install(code: str, _flow: object) -> None:
        installed.append(code)

    def take(state: str, browser: str) -> object:
        return SimpleNamespace() if (state, browser) == ("s", "b") else None

    app: Any = flask.Flask("advised") if framework == "flask" else FastAPI()
    load("check-state", framework, app=app, take_flow=take, install=install)
    wrong = ["", "code=c", "code=c&state=", "code=c&state=x", "state=s", "code=c&code=d&state=s"]
    statuses = []
    for query in [*wrong, "code=c&state=s&error=e", "code=c&state=s"]:
        url, cookie = f"/zoom/redirect?{query}", {"cookie": "__Host-zoom-flow=b"}
        if framework == "flask":
            statuses.append(app.test_client(use_cookies=False).get(url, headers=cookie).status_code)
        else:
            statuses.append(send(app, "GET", url, headers=cookie).status_code)

    assert [400] * 7 + [303] == statuses
    assert ["c"] == installed


DJANGO = """
import json, sys
from django.conf import settings
settings.configure()
from django.test import RequestFactory
from django.http import HttpResponse
webhook_code, redirect_code, headers, body = json.load(sys.stdin)
names = {"SECRET": %r, "handle": lambda _body: HttpResponse()}
exec(webhook_code, names)
exec(redirect_code, names)
names["take_flow"] = lambda state, browser: object() if (state, browser) == ("s", "b") else None
names["install"] = lambda _code, _flow: None
factory, statuses = RequestFactory(), []
for one in headers:
    request = factory.post("/zoom/webhook", body, "application/json", headers=one)
    statuses.append(names["webhook"](request).status_code)
for query in ("code=c", "code=c&state=x", "code=c&code=d&state=s", "code=c&state=s"):
    request = factory.get("/zoom/redirect?" + query)
    request.COOKIES["__Host-zoom-flow"] = "b"
    statuses.append(names["zoom_redirect"](request).status_code)
print(json.dumps(statuses))
"""


@pytest.mark.slow
def test_the_views_of_django_verify() -> None:
    """The Django code accepts an honest delivery and redirect, and refuses all others."""
    codes = [advice()[name].code_for("django") for name in ("verify-signature", "check-state")]
    content = json.dumps([*codes, [signed(BODY), *REFUSED], BODY.decode()])
    command = [sys.executable, "-c", DJANGO % SECRET]
    done = subprocess.run(command, input=content, capture_output=True, text=True, check=False)

    assert "" == done.stderr
    assert [200] + [401] * len(REFUSED) + [400, 400, 400, 302] == json.loads(done.stdout)


@pytest.mark.parametrize("framework", ["flask", "fastapi"])
def test_the_start_sends_new_values(framework: str) -> None:
    """Each start has a state, a challenge of its verifier, and a protected cookie."""
    saved: list[dict[str, str]] = []
    app: Any = flask.Flask("advised") if framework == "flask" else FastAPI()
    load(
        "begin-flow",
        framework,
        app=app,
        CLIENT_ID="client",
        REDIRECT_URI="https://app.example/zoom/redirect",
        user_of=lambda _request: "ann",
        save_flow=lambda **row: saved.append(row),
    )
    if framework == "flask":
        response: Any = app.test_client().post("/zoom/connect")
    else:
        response = send(app, "POST", "/zoom/connect")
    (row,) = saved
    challenge = hashlib.sha256(row["verifier"].encode()).digest()
    location = response.headers["location"]

    assert f"state={row['state']}" in location and "code_challenge_method=S256" in location
    sent = re.search("code_challenge=([^&]+)", location)
    assert sent is not None
    assert urlsafe_b64encode(challenge).decode().rstrip("=") == sent[1]
    assert response.headers["set-cookie"].startswith("__Host-zoom-flow=" + row["browser"])
    assert {"Secure", "HttpOnly", "Path=/"} <= set(response.headers["set-cookie"].split("; "))


def test_the_assumed_names_are_spelt_as_in_the_code() -> None:
    """A reader of the code for Express looks for `saveFlow`, not for `save_flow`."""
    flow = next(one for one in advice().values() if "save_flow" in one.given)
    assert "`save_flow`" in flow.given_for("flask")
    assert "`saveFlow`" in flow.given_for("express")
    assert "`CLIENT_ID`" in flow.given_for("express")
