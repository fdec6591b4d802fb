"""One delivery is the same delivery, in whatever form it was captured."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.captures import (
    BODY,
    captured,
    curl,
    explained,
    gateway_v1,
    gateway_v2,
    har,
    headers,
    raw,
    said,
    zoom_log,
)
from paraph.errors import UsageError
from paraph.explain.capture import join_capture, read_capture

TEXT = BODY.decode()
QUOTED = TEXT.replace("'", "'\\''")
DOUBLE = TEXT.replace("\\", "\\\\").replace('"', '\\"')
ANSI = TEXT.replace("\\", "\\\\").replace("é", "\\u00e9").replace("<", "\\x3c").replace("'", "\\'")
NAMES = st.sampled_from(
    [
        *("headers", "body", "method", "url", "log", "entries", "request", "postData", "text"),
        *("httpMethod", "rawPath", "requestContext", "multiValueHeaders", "isBase64Encoded"),
        *("request_headers", "request_body", "webhook_logs", "event", "payload", "name", "value"),
        *("queryStringParameters", "multiValueQueryStringParameters", "cookies", "http", "path"),
    ]
)
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
LOG = zoom_log()
CMD_DATA = re.sub(r"([^A-Za-z0-9 :,._-])", r"^\1", DOUBLE)
FORMS: dict[str, bytes] = {
    "raw behind empty lines": b"\r\n \n" + raw(),
    "raw with a blank in the empty line": raw().replace(b"\r\n\r\n", b"\r\n \r\n"),
    "raw of HTTP/2 without a request line": raw().replace(
        b"POST /webhook HTTP/1.1", b":method: POST\r\n:path: /webhook"
    ),
    "raw in UTF-16": raw().decode().encode("utf-16"),
    "function URL in UTF-16": json.dumps(gateway_v2()).encode("utf-16"),
    "function URL in a string": json.dumps(json.dumps(gateway_v2())).encode(),
    "headers of a gateway in two cases": json.dumps(
        {**gateway_v1(), "multiValueHeaders": {k.lower(): [v] for k, v in headers().items()}}
    ).encode(),
    "Zoom's log in a string": json.dumps(json.dumps(LOG)).encode(),
    "Zoom's log with its list in a string": json.dumps(
        {"webhook_logs": json.dumps(LOG["webhook_logs"])}
    ).encode(),
    "Zoom's log with its entry in a string": json.dumps(
        {"webhook_logs": [json.dumps(LOG["webhook_logs"][0])]}
    ).encode(),
    "Zoom's log with strings in strings": json.dumps(
        {
            "request_headers": json.dumps(json.dumps(headers())),
            "request_body": json.dumps(TEXT),
        }
    ).encode(),
    "curl for cmd": curl(f'--data-raw ^"{CMD_DATA}^"').replace(b"'", b'^"'),
    "curl for cmd over lines": curl(f'^\r\n  --data-raw ^"{CMD_DATA}^"').replace(b"'", b'^"'),
    "curl for cmd with plain quotes": curl(f'^\r\n  -d "{DOUBLE}"').replace(b"'", b'"'),
    "curl for cmd with doubled quotes": curl(
        '^\r\n  -d "{}"'.format(TEXT.replace('"', '""'))
    ).replace(b"'", b'"'),
    "raw CRLF": raw(),
    "raw LF": raw(end=b"\n"),
    "raw with Content-Length": raw(signed=headers(**{"Content-Length": str(len(BODY))})),
    "raw with a line end behind Content-Length": raw(
        signed=headers(**{"Content-Length": str(len(BODY))})
    )
    + b"\r\n",
    "raw of another path": raw(path="/integrations/zoom/hook/"),
    "raw with a whole URL": raw(path="https://hooks.example/in?x=1"),
    "raw of HTTP/2": raw().replace(b"HTTP/1.1", b"HTTP/2"),
    "raw with pseudo-headers": raw().replace(b"Host:", b":authority: x\r\nHost:"),
    "raw with a byte order mark": b"\xef\xbb\xbf" + raw(),
    "raw in chunks": raw(signed=headers(**{"Transfer-Encoding": "chunked"})).replace(BODY, CHUNKED),
    "HAR entry": json.dumps(har()).encode(),
    "HAR entry in base64": json.dumps(
        har(base64.b64encode(BODY).decode(), encoding="base64")
    ).encode(),
    "HAR file": json.dumps({"log": {"entries": [har()]}}).encode(),
    "API Gateway v1": json.dumps(gateway_v1()).encode(),
    "API Gateway v1 in base64": json.dumps(gateway_v1(encoded=True)).encode(),
    "API Gateway v1 without multiValueHeaders": json.dumps(
        {**gateway_v1(), "multiValueHeaders": None}
    ).encode(),
    "API Gateway v1 with multiValueHeaders alone": json.dumps(
        {**gateway_v1(), "headers": None}
    ).encode(),
    "API Gateway v2": json.dumps(gateway_v2(encoded=False)).encode(),
    "function URL": json.dumps(gateway_v2()).encode(),
    "Zoom's log": json.dumps(zoom_log()).encode(),
    "an entry of Zoom's log": json.dumps(zoom_log()["webhook_logs"][0]).encode(),
    "an entry of Zoom's log with parsed headers": json.dumps(
        {"request_headers": headers(), "request_body": TEXT}
    ).encode(),
    "an entry of Zoom's log with lines of headers": json.dumps(
        {
            "request_headers": "\n".join(f"{k}: {v}" for k, v in headers().items()),
            "request_body": TEXT,
        }
    ).encode(),
    "an environment of WSGI or PHP": json.dumps(
        {
            "headers": {
                f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers().items()
            },
            "body": TEXT,
        }
    ).encode(),
    "a request bin": json.dumps(
        {"method": "POST", "url": "/in", "headers": headers(), "content": TEXT}
    ).encode(),
    "a request bin with lists": json.dumps(
        {"headers": {name: [value] for name, value in headers().items()}, "rawBody": TEXT}
    ).encode(),
    "a list of captures": json.dumps([har()]).encode(),
    "curl --data-raw": curl(f"--data-raw '{QUOTED}'"),
    "curl -d": curl(f"-d '{QUOTED}'"),
    "curl -d attached": curl(f"-d'{QUOTED}'"),
    "curl --data": curl(f"--data '{QUOTED}'"),
    "curl --data=": curl(f"--data='{QUOTED}'"),
    "curl --data-binary": curl(f"--data-binary '{QUOTED}' --compressed -sS -k -o /dev/null"),
    "curl in double quotes": curl(f'-d "{DOUBLE}"'),
    "curl in ANSI quotes": curl(f"--data-raw $'{ANSI}'"),
    "curl over lines": curl(f"\\\n  -X POST \\\r\n  --data-raw '{QUOTED}'"),
    "curl joined flags": curl(f"-sXPOST --data-raw '{QUOTED}'"),
    "curl with a prompt": b"$ " + curl(f"--data-raw '{QUOTED}'"),
    "curl with --url": b"/usr/bin/" + curl(f"--data-raw '{QUOTED}' --url https://x.example/"),
    "curl with --header": curl(f"--data-raw '{QUOTED}'").replace(b"-H '", b"--header '"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_delivery(form: str) -> None:
    """The body comes out byte for byte, and every step holds."""
    found = captured(FORMS[form])

    assert (BODY, "POST") == (found.body, found.method)
    assert explained(found).is_accepted, said(found)


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_headers_and_body_apart_are_one_delivery(end: bytes) -> None:
    """Lines with or without a request line, an object, and pairs; the body byte for byte."""
    lines = raw(end=end).partition(end + end)[0]
    for head in (
        lines,
        lines + end + end,
        lines.partition(end)[2],
        json.dumps(headers()).encode(),
        json.dumps([list(one) for one in headers().items()]).encode(),
        json.dumps([{"name": k, "value": v} for k, v in headers().items()]).encode(),
    ):
        found = join_capture(head, BODY)
        assert BODY == found.body
        assert explained(found).is_accepted


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the capture is empty"),
        (b" \r\n\n", "the capture is empty"),
        (raw().replace(b"\r\n\r\n", b"\r\n"), "an empty line is missing"),
        (b":method: POST\r\n\r\n", "not an HTTP request line"),
        (b'"no capture"', "not a captured request"),
        (b'curl ^"http://x^" -H "a', "is not closed"),
        (b"\x00\xff", "not an HTTP request line"),
        (b"POST /webhook", "not an HTTP request line"),
        (b"POST / HTTP/1.1\r\nno colon\r\n\r\n", "no name and colon"),
        (b"POST / HTTP/1.1\r\na b: c\r\n\r\n", "no name and colon"),
        (b"{", "not a captured request"),
        (b"[]", "of the 0 entries"),
        (b"[1]", "not a captured request"),
        (b"{}", "not a captured request"),
        (b'{"headers": 5, "body": ""}', "not a captured request"),
        (b'{"code": 104, "message": "x"}', "not a captured request"),
        (b'{"httpMethod": "POST", "body": "!", "isBase64Encoded": true}', "not a captured request"),
        (b'{"request_headers": "not json", "request_body": ""}', "no name and colon"),
        (b"[" * 100_000, "not a captured request"),
        (b"curl", "not an HTTP request line"),
        (b"curl -H 'a: b'", "has no URL"),
        (b"curl 'http://x", "is not closed"),
        (b'curl "http://x', "is not closed"),
        (b"curl $'http://x", "is not closed"),
        (b"curl http://x -d", "has no value"),
        (b"curl http://x -d @/etc/passwd", "from a file, which is not opened"),
        (b"curl http://x --data-binary @body.json", "from a file, which is not opened"),
        (b"curl http://x -H @headers.txt", "from a file, which is not opened"),
        (b"curl http://x --data-urlencode a=b", "sends a form"),
        (b"curl http://x -F a=b", "sends a form"),
        (b"curl http://[x", "cannot be read"),
    ],
)
def test_what_is_no_capture_is_named(content: bytes, why: str) -> None:
    """One sentence that says what is wrong, and one that says what to give."""
    with pytest.raises(UsageError, match=why) as caught:
        captured(content)
    assert caught.value.remedy


def test_no_file_that_a_capture_names_is_opened(tmp_path: Path) -> None:
    """A capture comes from a stranger: it reads nothing on this machine."""
    file = tmp_path / "secret"
    file.write_text("hush-hush")
    assert f"@{file}".encode() == captured(curl(f"--data-raw '@{file}'")).body
    with pytest.raises(UsageError) as caught:
        captured(curl(f"-d '@{file}'"))
    assert "hush" not in str(caught.value)


def test_doubled_headers_of_a_gateway_stay_two() -> None:
    """`multiValueHeaders` shows what `headers` hides."""
    event = gateway_v1()
    event["multiValueHeaders"]["X-Zm-Signature"] *= 2
    found = captured(json.dumps(event).encode())
    assert 2 == found.count(b"x-zm-signature")
    assert 1 == found.count(b"x-zm-request-timestamp")


def test_a_query_of_every_form_is_kept() -> None:
    """The raw query of a redirect comes out as it stood."""
    v1 = {**gateway_v1(), "queryStringParameters": {"code": "a b", "state": "c"}}
    v2 = {**gateway_v2(), "rawQueryString": "code=a+b&state=c"}
    for content in (
        raw(path="/in?code=a+b&state=c"),
        json.dumps(v1).encode(),
        json.dumps(v2).encode(),
        curl("", url="https://x.example/in?code=a+b&state=c"),
    ):
        assert b"code=a+b&state=c" == captured(content).raw_query


@pytest.mark.parametrize(
    ("quoted", "expected"),
    [
        (r"$'\n\t\\\'\"\x41\101\u00e9\U0001f989\e\q'", "\n\t\\'\"AAé🦉\x1b\\q"),
        (r'"a\"b\$c\`d\\e\f"', 'a"b$c`d\\e\\f'),
        (r"a\ b'c'\''d'", "a bc'd"),
        ("''", ""),
    ],
)
def test_a_shells_quotes_are_read_as_a_shell_reads_them(quoted: str, expected: str) -> None:
    """Single, double and ANSI quotes, and what stands side by side is one word."""
    found = read_capture(f"curl http://x --data-raw {quoted}".encode(), fits=lambda _: True)
    assert expected.encode() == found.body


def test_several_bodies_of_curl_are_joined() -> None:
    """As curl joins them."""
    assert b"a=1&b=2" == captured(b"curl http://x -d a=1 --data-raw b=2").body


def test_a_cut_capture_and_a_longer_one_are_noted() -> None:
    """Content-Length decides where the body ends, and what does not fit is said."""
    whole = raw(signed=headers(**{"Content-Length": str(len(BODY))}))
    assert "the capture was cut" in " ".join(captured(whole[:-5]).notes)
    longer = captured(whole + b"HTTP/1.1 200 OK\r\n\r\n")
    assert (BODY, True) == (longer.body, "are ignored" in " ".join(longer.notes))


@given(st.binary(max_size=200))
def test_whatever_bytes_arrive(content: bytes) -> None:
    """A request or a UsageError, for every prefix that chooses a reader."""
    for prefix in (b"", b"{", b"curl ", b"POST / HTTP/1.1\r\n", b'{"headers":{},"body":'):
        try:
            found = captured(prefix + content)
        except UsageError:
            continue
        assert explained(found).findings


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
        max_leaves=12,
    )
)
def test_whatever_json_arrives(document: Any) -> None:
    """A request or a UsageError, whatever stands where a header or a body should be."""
    try:
        captured(json.dumps(document).encode())
    except UsageError:
        return
