"""`paraph explain`, as a person runs it."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.commands import run_command
from paraph.sealing.encryption_key import new_encryption_key
from paraph.simulator.webhooks.webhook_sender import sign
from private_file import write_private
from service_kit import running
from vector_files import FOLDER

SECRET = "hN71_0cYwe-Ty6dRmVq"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Settings of an app, in a folder of their own."""
    write_private(
        tmp_path / "paraph.toml",
        f"""
client_id = "AbCdEf123456"
client_secret = "kF93-2bXq0-Zr8sLpW"
webhook_secrets = ["{SECRET}"]
public_url = "https://zoom.tidemark.example"
encryption_keys = ["{new_encryption_key()}"]
linking = "none"
""",
    )
    return tmp_path


def explain(
    folder: Path, kind: str, request: bytes, *options: str, file: str = "-", **variables: str
) -> tuple[int, str]:
    """Run the command over a request on standard input."""
    words = ("explain", kind, *([file] if file else []), *options)
    done = run_command(folder, *words, content=request, variables=variables)
    return done.code, done.out + done.err


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

    assert (0, "result: accepted") == (code, said.splitlines()[-1])
    assert {"held", "note"} == {line.split()[0] for line in said.splitlines()[:-1]}
    assert "its event is meeting.ended" in said


@pytest.mark.parametrize(
    ("request_bytes", "step"),
    [
        (delivery(BODY, key="another-secret-xyz"), "refused   signature:"),
        (delivery(BODY, at=1_600_000_000), "refused   freshness:"),
        (delivery(BODY).replace(b"meeting.ended", b"meeting.begun"), "refused   signature:"),
        (delivery(BODY).replace(b"X-Zm-Signature", b"X-Other"), "refused   one signature header:"),
        (delivery(b"[]"), "refused   event:"),
        (delivery(b'{"event":"app_deauthorized","payload":{}}'), "refused   event:"),
        (delivery(BODY).replace(b"POST", b"GET"), "refused   request: it is GET /webhook"),
        (delivery(b" " * (1 << 20) + BODY), "refused   request: its body has"),
    ],
    ids=["key", "old", "changed", "unsigned", "no event", "no ids", "GET", "long"],
)
def test_a_refused_delivery_says_at_which_step(
    folder: Path, request_bytes: bytes, step: str
) -> None:
    """Refused, exit 1, and the step that refused it with the reason."""
    code, said = explain(folder, "webhook", request_bytes)

    assert 1 == code
    assert step in said
    assert "result: refused" == said.splitlines()[-1]
    assert SECRET not in said


def test_a_capture_is_checked_at_its_own_time(folder: Path) -> None:
    """--at sets the clock back to when the capture was made."""
    old = delivery(BODY, at=1_700_000_000)

    assert 1 == explain(folder, "webhook", old)[0]
    assert 0 == explain(folder, "webhook", old, "--at", "1700000010")[0]


def har_entry(captured: bytes) -> dict[str, Any]:
    """The same request as a recorder keeps it."""
    head, _, body = captured.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    headers = [line.split(": ", 1) for line in lines]
    return {
        "request": {
            "method": method,
            "url": f"https://zoom.tidemark.example{target}",
            "headers": [{"name": name, "value": value} for name, value in headers],
            "postData": {"text": base64.b64encode(body).decode(), "encoding": "base64"},
        }
    }


def test_a_har_entry_is_read_as_well(folder: Path) -> None:
    """What a browser's or proxy's recorder exports, with a byte order mark too."""
    entry = har_entry(delivery(BODY))

    assert 0 == explain(folder, "webhook", json.dumps({"log": {"entries": [entry]}}).encode())[0]
    assert 0 == explain(folder, "webhook", b"\xef\xbb\xbf" + json.dumps(entry).encode())[0]


def test_the_matching_entry_of_a_recording_is_checked(folder: Path) -> None:
    """A recorder keeps everything; where several could be meant, somebody must say which."""
    other = har_entry(b"GET /pictures HTTP/1.1\r\nHost: x\r\n\r\n")
    odd = {"request": {"method": "GET", "url": "wss://x", "headers": [{"name": "a\u2000"}]}}
    good, bad = har_entry(delivery(BODY)), har_entry(delivery(BODY, key="another-secret-xyz"))

    def recording(*entries: object) -> bytes:
        return json.dumps({"log": {"entries": entries}}).encode()

    assert 0 == explain(folder, "webhook", recording(other, odd, good))[0]
    code, said = explain(folder, "webhook", recording(good, other, bad))
    assert (1, True) == (code, "matching: entries 1, 3" in said)
    assert 0 == explain(folder, "webhook", recording(good, other, bad), "--entry", "1")[0]
    assert "matching: no entry" in explain(folder, "webhook", recording(other, odd))[1]
    assert "has 2 entries" in explain(folder, "webhook", recording(other, odd), "--entry", "3")[1]


def test_a_cut_capture_is_noted(folder: Path) -> None:
    """A signature over bytes that are not here cannot verify, and that is not Zoom's doing."""
    code, said = explain(folder, "webhook", delivery(BODY)[:-10])

    assert 1 == code
    assert "note      Content-Length is" in said and "the capture was cut" in said


def test_the_client_of_a_removal_is_named(folder: Path) -> None:
    """A genuine removal of another client's app is accepted and has no effect."""
    for client_id, effect in (("AbCdEf123456", "it removes the app"), ("Other", "no effect here")):
        payload = {"client_id": client_id, "account_id": "a", "user_id": "u"}
        body = json.dumps({"event": "app_deauthorized", "payload": payload}).encode()
        code, said = explain(folder, "webhook", delivery(body))
        assert (0, True) == (code, effect in said)


@pytest.mark.parametrize(
    "captured",
    [b"", b"\x00\xff", b"nonsense", b"{", b'{"a":1}', b"GET / HTTP/1.1\r\nbroken\r\n\r\n"],
)
@pytest.mark.parametrize("kind", ["webhook", "context", "redirect"])
def test_what_is_no_request_gets_two_lines(folder: Path, kind: str, captured: bytes) -> None:
    """One line that says what is wrong, and one that says what to give instead."""
    code, said = explain(folder, kind, captured)

    assert 1 == code
    assert 2 == len(said.splitlines())
    assert "HAR entry" in said


def test_a_marketplace_redirect_is_named_as_one(folder: Path) -> None:
    """A code without state did not begin in the app, and the explanation says so."""
    code, said = explain(folder, "redirect", b"GET /oauth/redirect?code=abc HTTP/1.1\r\n\r\n")

    assert 1 == code
    assert "there is no state: the flow did not start in the app" in said


def test_a_forged_redirect_stops_at_the_state(folder: Path) -> None:
    """Without this browser's cookie nothing after the shape holds; the state is not repeated."""
    target = f"/oauth/redirect?code=abc&state={'s' * 43}"
    code, said = explain(folder, "redirect", f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    assert 1 == code
    assert "held      shape" in said and "refused   state" in said and "skipped   age" in said
    assert "s" * 43 not in said
    assert "the capture has no cookies" in said


def test_explaining_makes_no_database(folder: Path) -> None:
    """What only looks leaves nothing behind, and asks no running service's store."""
    explain(folder, "redirect", b"GET /oauth/redirect?code=abc HTTP/1.1\r\n\r\n")

    assert ["paraph.toml"] == [one.name for one in folder.iterdir()]


@pytest.mark.parametrize(
    ("captured", "why"),
    [
        (b"HEAD /oauth/redirect?code=a HTTP/1.1\r\n\r\n", "it is HEAD"),
        (b"GET /oauth/redirect?code=a HTTP/1.1\r\nSec-Purpose: prefetch\r\n\r\n", "a prefetch"),
    ],
)
def test_another_kind_of_request_is_named(folder: Path, captured: bytes, why: str) -> None:
    """What the endpoint does not even look at stops at the first step."""
    code, said = explain(folder, "redirect", captured)

    assert 1 == code
    assert why in said.splitlines()[0] and "skipped   shape" in said


@pytest.mark.anyio
async def test_a_genuine_redirect_holds_at_every_step(tmp_path: Path) -> None:
    """Captured from a real flow: accepted with its cookie, refused without, expired later."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        settings = kit.settings
    write_private(
        tmp_path / "paraph.toml",
        f"""
client_id = "{settings.client_id}"
client_secret = "{settings.client_secret.reveal()}"
webhook_secrets = ["{settings.webhook_secrets[0].reveal()}"]
public_url = "{settings.public_url}"
encryption_keys = ["{settings.encryption_keys[0].reveal()}"]
authorization_server = "{settings.authorization_server}"
linking = "none"
""",
    )
    head = f"GET {httpx.URL(location).raw_path.decode()} HTTP/1.1\r\nHost: app.example\r\n"
    whole = f"{head}Cookie: {cookies}\r\n\r\n".encode()

    code, said = explain(tmp_path, "redirect", whole)
    assert (0, "result: accepted") == (code, said.splitlines()[-1])
    assert 0 == explain(tmp_path, "redirect", json.dumps(har_entry(whole)).encode())[0]
    assert "refused   state" in explain(tmp_path, "redirect", f"{head}\r\n".encode())[1]
    later = str(time.time() + 601)
    assert "refused   age" in explain(tmp_path, "redirect", whole, "--at", later)[1]
    for hidden in (*cookies.split("=")[1:], httpx.URL(location).params["state"]):
        assert hidden not in said


def test_an_app_context_is_explained(folder: Path) -> None:
    """A header of another app does not decrypt, and that is the step that says so."""
    vectors = json.loads((FOLDER / "app_context.json").read_bytes())["contexts"]
    header = next(one["header"] for one in vectors if one["result"] == "valid")
    request = f"GET / HTTP/1.1\r\nX-Zoom-App-Context: {header}\r\n\r\n".encode()
    code, said = explain(folder, "context", request)

    assert 1 == code
    assert "refused" in said and "result: refused" in said


def test_a_secret_is_all_that_a_delivery_needs(tmp_path: Path) -> None:
    """Without any settings, by option or by variable; and without either it is asked for."""
    captured = delivery(BODY)
    assert 0 == explain(tmp_path, "webhook", captured, "--secret", SECRET)[0]
    assert 0 == explain(tmp_path, "webhook", captured, "--secret", "x" * 20, "--secret", SECRET)[0]
    code, said = explain(tmp_path, "webhook", captured)
    assert (2, True) == (code, "webhook_secrets is missing" in said)
    assert "--secret" in said and 2 == len(said.splitlines())
    for value in (json.dumps([SECRET]), SECRET):
        assert 0 == explain(tmp_path, "webhook", captured, PARAPH_WEBHOOK_SECRETS=value)[0]
    assert [] == list(tmp_path.iterdir())


def test_settings_that_others_can_read_are_enough_for_a_look(tmp_path: Path) -> None:
    """An explanation starts nothing: it takes what it needs, and checks no other setting."""
    file = tmp_path / "paraph.toml"
    file.write_text(f"webhook_secrets = ['{SECRET}']\nlevel = 5\nnonsense = true\n")
    file.chmod(0o644)
    assert 0 == explain(tmp_path, "webhook", delivery(BODY))[0]


def test_headers_and_body_are_given_apart(folder: Path) -> None:
    """Two files, or one of them on standard input."""
    head, _, body = delivery(BODY).partition(b"\r\n\r\n")
    (folder / "head").write_bytes(head)
    (folder / "body").write_bytes(body)
    assert 0 == explain(folder, "webhook", b"", "--headers", "head", "--body", "body", file="")[0]
    assert 0 == explain(folder, "webhook", body, "--headers", "head", "--body", "-", file="")[0]
    for options in ((), ("--body", "body"), ("--headers", "-", "--body", "-")):
        code, said = explain(folder, "webhook", body, *options, file="")
        assert (1, 2) == (code, len(said.splitlines())), said
    code, said = explain(folder, "webhook", body, "--headers", "head")
    assert (1, True) == (code, "no request is given" in said)


def test_the_old_name_of_redirect_goes_on_with_a_note(folder: Path) -> None:
    """`explain callback` is `explain redirect` for one more version."""
    captured = b"GET /oauth/redirect?code=abc HTTP/1.1\r\n\r\n"
    code, said = explain(folder, "callback", captured)
    assert explain(folder, "redirect", captured) == (code, said.rpartition("note: ")[0])
    assert "`explain callback` is now `explain redirect`" in said
    assert "callback" not in explain(folder, "--help", b"", file="")[1]


def test_a_redirect_at_another_path_is_explained(folder: Path) -> None:
    """A mounted app has another path: it is noted, and the steps are the same."""
    target = f"/zoom/callback?code=abc&state={'s' * 43}"
    code, said = explain(folder, "redirect", f"GET {target} HTTP/1.1\r\n\r\n".encode())
    assert 1 == code and "refused   state" in said
    assert "its path is /zoom/callback" in said


def test_a_redirect_needs_what_opens_the_cookie(tmp_path: Path) -> None:
    """Exactly that is named where it is missing, and nothing else of the settings."""
    code, said = explain(tmp_path, "redirect", b"GET /oauth/redirect?code=abc HTTP/1.1\r\n\r\n")
    assert 2 == code
    assert ["client_id", "public_url", "encryption_keys"] == [
        line.split()[1] for line in said.splitlines()[:3]
    ]


def test_an_absent_context_is_absent(tmp_path: Path) -> None:
    """A request without the header is not one with a broken header."""
    code, said = explain(
        *(tmp_path, "context", b"GET / HTTP/1.1\r\n\r\n"),
        *("--secret", "client-secret-1234", "--client-id", "ClientMadeUp01"),
    )
    assert 1 == code
    assert "refused   header: the app context is absent" in said


def test_nothing_of_a_capture_moves_the_cursor(folder: Path) -> None:
    """Control characters of a request line, a path and a body come out as escapes."""
    hostile = delivery(b'{"event":"\x1b[2J","payload":{}}').replace(b"POST /w", b"POST /\x9b\x1bw")
    for kind in ("webhook", "redirect", "context"):
        _, said = explain(folder, kind, hostile)
        assert all(line.isprintable() for line in said.splitlines()), said


@pytest.mark.parametrize("name", ["public_url", "authorization_server"])
def test_a_setting_that_is_no_url_is_named(folder: Path, name: str) -> None:
    """A URL that cannot be read is one line and exit code 2."""
    request = b"GET /oauth/redirect?code=a&state=b HTTP/1.1\r\nCookie: a=b\r\n\r\n"

    code, said = explain(folder, "redirect", request, **{f"PARAPH_{name.upper()}": "http://["})

    assert (2, f"paraph: {name} is not a URL") == (code, said.splitlines()[0])
