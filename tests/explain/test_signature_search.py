"""A signature that does not match is searched for its cause, and the one that fits is named."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from explain.captures import BODY, NOW, SECRET, signature
from paraph.explain.signature_search import Side, find_cause

VALUE = json.loads(BODY)
ESCAPED = json.dumps(VALUE, separators=(",", ":")).encode()
SLASHED = BODY.replace(b"/", b"\\/")
PRETTY = json.dumps(VALUE, indent=2, ensure_ascii=False).encode()
UPPER = ESCAPED.replace(b"\\u00e9", b"\\u00E9")
UNSORTED = json.dumps(
    {name: VALUE[name] for name in ("payload", "event_ts", "event")},
    separators=(",", ":"),
    ensure_ascii=False,
).encode()


def cause(
    signed: bytes = BODY,
    seen: bytes = BODY,
    *,
    secret: str = SECRET,
    given: tuple[str, ...] = (SECRET,),
    header: str = "",
    stamp: str = str(NOW),
    client_secret: str = "",
    **more: Any,
) -> str:
    """Find the cause for a body that was signed with a secret, and seen with others given."""
    value = header or signature(signed, secret=secret, **more)
    found = find_cause(
        value.encode(), stamp.encode(), seen, secrets=given, client_secret=client_secret
    )
    return "" if found is None else found.text


@pytest.mark.parametrize(
    ("signed", "seen", "said"),
    [
        (BODY, quote(BODY).encode(), "percent-encoded"),
        (BODY, quote_plus(BODY).encode(), "percent-encoded"),
        (BODY, repr(BODY).encode(), "Python's printed form of bytes"),
        (UPPER, BODY, "with \\u escapes in upper case"),
        (BODY, BODY + b"\n", "an added line end"),
        (BODY, BODY + b"\r\n", "an added line end"),
        (BODY, BODY + b"\n\n\n", "added line ends"),
        (BODY, b"  " + BODY, "added blanks around"),
        (BODY + b"\n", BODY, "lost its line end"),
        (BODY + b"\r\n", BODY, "lost its line end (CRLF)"),
        (PRETTY.replace(b"\n", b"\r\n"), PRETTY, "LF line ends where CRLF was sent"),
        (PRETTY, PRETTY.replace(b"\n", b"\r\n"), "CRLF line ends where LF was sent"),
        (BODY, b"\xef\xbb\xbf" + BODY, "added byte order mark"),
        (b"\xef\xbb\xbf" + BODY, BODY, "lost its byte order mark"),
        (BODY, PRETTY, "the compact form verifies: the capture was reformatted"),
        (BODY, PRETTY + b"\n", "the compact form verifies: the capture was reformatted"),
        (BODY, json.dumps(VALUE, ensure_ascii=False).encode(), "the compact form verifies"),
        (PRETTY, BODY, "the form indented by 2 spaces verifies"),
        (json.dumps(VALUE, ensure_ascii=False).encode(), BODY, "a space after comma and colon"),
        (BODY, ESCAPED, "with letters in place of \\u escapes verifies"),
        (ESCAPED, BODY, "with \\u escapes in place of letters verifies"),
        (ESCAPED, PRETTY, "with \\u escapes in place of letters verifies"),
        (SLASHED, BODY, "with escaped slashes verifies"),
        (BODY, SLASHED, "with plain slashes verifies"),
        (BODY.replace(b"<b>", b"\\u003cb\\u003e").replace(b"&", b"\\u0026"), BODY, "<, > and &"),
        (UNSORTED, BODY, "with the names in the order payload, event_ts, event verifies"),
        (UNSORTED, PRETTY, "with the names in the order payload, event_ts, event verifies"),
        (BODY, BODY.decode().encode("latin-1"), "the capture is written in latin-1"),
        (BODY, BODY.decode("latin-1").encode(), "the body was decoded as latin-1"),
        (BODY, base64.b64encode(BODY), "the body is base64 of what was sent"),
        (BODY, json.dumps(BODY.decode()).encode(), "the JSON inside the string verifies"),
    ],
)
def test_a_body_that_was_changed_is_recognised(signed: bytes, seen: bytes, said: str) -> None:
    """Each accident that tools do to a body is named, and nothing else."""
    found = cause(signed, seen)
    assert said in found
    assert SECRET not in found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (f'"{SECRET}"', "the secret without the quotes around it"),
        (f"'{SECRET}'", "the secret without the quotes around it"),
        (f"{SECRET}\n", "the secret without the blank or line end"),
        (f" {SECRET}", "the secret without the blank or line end"),
        (f'"{SECRET} "', "the secret without quotes and blanks"),
        (f"\u201c{SECRET}\u201d", "the secret without the quotes around it"),
        (f"\ufeff{SECRET}\u200b", "the secret without its invisible characters"),
        (SECRET.upper(), "the secret in lower case"),
    ],
)
def test_a_secret_that_was_pasted_badly_is_recognised(given: str, said: str) -> None:
    """Quotes, blanks and line ends around the secret given here."""
    found = cause(given=(given,))
    assert said in found
    assert SECRET not in found


@pytest.mark.parametrize(
    ("used", "said"),
    [
        (f'"{SECRET}"', "with double quotes around it"),
        (f"'{SECRET}'", "with single quotes around it"),
        (f"{SECRET}\n", "with a line end behind it"),
        (f"{SECRET}\r\n", "with a line end (CRLF) behind it"),
        (f"{SECRET} ", "with a blank behind it"),
        (f" {SECRET}", "with a blank in front"),
    ],
)
def test_a_sender_with_a_badly_pasted_secret_is_recognised(used: str, said: str) -> None:
    """The same accidents on the other side."""
    assert said in cause(secret=used)


def test_the_secret_that_fits_is_named_among_several() -> None:
    """Of several secrets, and the client secret that people take for it."""
    assert "secret 2 of 3 without the quotes" in cause(given=("a" * 20, f'"{SECRET}"', "b" * 20))
    assert "the client secret signed it" in cause(client_secret=SECRET, given=("a" * 20,))
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert "the secret was decoded from base64 first" in cause(given=(encoded,))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stamp": f"{NOW}123"}, "the timestamp header is in milliseconds"),
        ({"header": signature(stamp=f"{NOW}000")}, "milliseconds were signed"),
        (
            {"header": signature(stamp=f"{NOW}123"), "stamp": f"{NOW}123"},
            "in the header and in what was signed",
        ),
        ({"stamp": f" {NOW}"}, "the timestamp has blanks"),
        ({"base": "{}:"}, "v0: is missing in front"),
        ({"header": signature(base="")}, "the body alone was signed"),
        ({"base": "{}."}, "a dot follows the timestamp"),
        ({"base": "v1:{}:"}, "v1: replaces v0:"),
        ({"header": signature().removeprefix("v0=")}, "the signature lacks v0="),
        ({"header": "v0=" + signature()[3:].upper()}, "the signature is in upper case"),
        ({"header": f'"{signature()[3:]}"'}, "lacks v0="),
        ({"header": f'"{signature()}"'}, "blanks or quotes around it"),
        ({"header": f"'{signature()}',"}, "blanks or quotes around it"),
        ({"header": f"v0= {signature()[3:]}"}, "blanks or quotes around it"),
        ({"header": signature().replace("v0", "V0")}, "the signature is in upper case"),
        ({"header": signature().replace("v0", "sha256")}, "lacks v0="),
        ({"stamp": f'"{NOW}"'}, "the timestamp has blanks, quotes"),
        (
            {
                "header": base64.b64encode(
                    hmac.digest(SECRET.encode(), b"v0:%d:%b" % (NOW, BODY), hashlib.sha256)
                ).decode()
            },
            "the signature is base64",
        ),
    ],
)
def test_a_sender_that_signs_otherwise_is_recognised(changes: dict[str, Any], said: str) -> None:
    """Timestamps in milliseconds, a missing v0:, and signatures in other shapes."""
    assert said in cause(**changes)


def test_two_accidents_at_once_are_both_named() -> None:
    """A reformatted body, and quotes around the secret."""
    found = cause(seen=PRETTY, given=(f'"{SECRET}"',))
    assert "the compact form verifies" in found and "without the quotes" in found


@pytest.mark.parametrize("header", ["", "v0=", "v0=zz", "x" * 10_000, "v0=" + "0" * 63])
def test_what_is_no_signature_has_no_cause(header: str) -> None:
    """Nothing is guessed from a header that holds no MAC."""
    assert None is find_cause(
        header.encode(), str(NOW).encode(), BODY, secrets=[SECRET], client_secret=""
    )


def test_a_forged_delivery_has_no_cause() -> None:
    """Another secret, another body, or an empty ring: nothing fits."""
    assert "" == cause(secret="somebody-elses-secret")
    assert "" == cause(b'{"event":"other"}')
    assert "" == cause(given=())


def test_the_side_that_has_to_change_is_told() -> None:
    """The capture, the secret, or the program that signed."""
    for changes, side in (
        ({"seen": PRETTY}, Side.CAPTURE),
        ({"given": (f'"{SECRET}"',)}, Side.SECRET),
        ({"base": "{}:"}, Side.SENDER),
    ):
        more: dict[str, Any] = {"signed": BODY, "seen": BODY, "given": (SECRET,), **changes}
        found = find_cause(
            signature(more["signed"], base=more.get("base", "v0:{}:")).encode(),
            str(NOW).encode(),
            more["seen"],
            secrets=more["given"],
            client_secret="",
        )
        assert found is not None and {side} == found.sides


def test_a_large_body_is_searched_in_few_steps() -> None:
    """Every pair is tried for small bodies alone; single accidents for all."""
    large = b'{"event":"x","payload":{"text":"%b"}}' % (b"a" * 200_000)
    assert "an added line end" in cause(large, large + b"\n")
    assert "" == cause(large, large + b"\n", given=(f'"{SECRET}"',))
