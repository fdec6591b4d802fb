"""The explanation of a delivery: each step, the cause of a mismatch, and what would follow."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from explain.captures import (
    BODY,
    NOW,
    SECRET,
    captured,
    explained,
    har,
    headers,
    raw,
    said,
    signature,
)
from paraph.explain.capture import CapturedRequest, join_capture
from paraph.explain.explanation import Outcome

OLD = NOW - 46_000_000


def outcome(found: CapturedRequest, name: str, **more: Any) -> Outcome:
    """How one step ended."""
    findings = {one.step.name: one.outcome for one in explained(found, **more).findings}
    return findings[name]


def without(name: str) -> bytes:
    """A capture that lacks a header."""
    return raw(signed={k: v for k, v in headers().items() if k != name})


@pytest.mark.parametrize("name", ["X-Zm-Signature", "X-Zm-Request-Timestamp"])
def test_a_missing_header_and_a_doubled_one_are_told_apart(name: str) -> None:
    """One line says missing, the other how often it is there."""
    lowered = name.lower()
    missing = said(without(name))
    line = f"{name}: {headers()[name]}".encode()
    doubled = said(raw().replace(line, line + b"\r\n" + line))

    assert f"the {lowered} header is missing" in missing
    assert "Some gateways pass only configured headers" in missing
    assert f"the {lowered} header appears 2 times" in doubled
    assert "missing" not in doubled
    joined = raw(signed=headers(**{name: f"{headers()[name]}, {headers()[name]}"}))
    assert "two headers of this name were joined" in said(joined)


def test_a_verification_token_is_named() -> None:
    """Events of apps that still use the retired token carry Authorization."""
    content = without("X-Zm-Signature").replace(b"Host:", b"Authorization: old\r\nHost:")
    assert "Zoom's retired Verification Token" in said(content)


def test_an_added_line_end_is_the_captures_own() -> None:
    """A file of raw text ends with a line end: accepted, and said, unless the length is known."""
    for end in (b"\n", b"\r\n", b"\n\n"):
        found = said(raw() + end)
        assert found.endswith("result: accepted")
        assert "without it the signature verifies" in found or "added line ends" in found
        assert "the delivery was genuine" in found
        assert said(join_capture(raw().partition(b"\r\n\r\n")[0], BODY + end)).endswith("accepted")
    exact = said(json.dumps(har(BODY.decode() + "\n")).encode())
    assert exact.endswith("result: refused")
    assert "note      cause: the capture has an added line end" in exact


def test_a_reformatted_capture_is_refused_and_explained() -> None:
    """The bytes as captured are refused; the delivery as Zoom sent it is described."""
    pretty = json.dumps(json.loads(BODY), indent=2, ensure_ascii=False).encode()
    found = said(raw(pretty, signed=headers()) + b"\n")

    assert "refused   signature: none of the webhook secrets" in found
    assert "cause: the compact form verifies: the capture was reformatted" in found
    assert "the delivery was genuine" in found
    assert "its event is meeting.started" in found
    assert "it is not verified" not in found
    assert found.endswith("result: refused")


def test_a_secret_with_quotes_is_the_readers_to_fix() -> None:
    """The cause and the remedy, and not the secret."""
    found = said(raw(), f'"{SECRET}"')
    assert "cause: the secret without the quotes around it signed this" in found
    assert "use the same secret in the settings and at Zoom" in found
    assert SECRET not in found


def test_an_old_capture_is_checked_to_the_end() -> None:
    """A capture is usually old: its signature is checked all the same."""
    stamp = str(OLD)
    content = raw(
        signed=headers(
            **{"X-Zm-Request-Timestamp": stamp, "X-Zm-Signature": signature(stamp=stamp)}
        )
    )
    found = said(content)
    assert "refused   freshness: the timestamp lies 46000000 s behind" in found
    assert "held      signature:" in found and "held      event:" in found
    assert f"only its age is wrong: --at {stamp}" in found
    assert found.endswith("result: refused")
    assert said(content, now=OLD).endswith("result: accepted")
    forged = said(content, "another-secret-token")
    assert "refused   freshness" in forged and "refused   signature" in forged
    assert "only its age" not in forged


def test_milliseconds_in_the_header_are_the_cause() -> None:
    """The grammar refuses them, and the cause says why the signature would not match either."""
    found = said(raw(signed=headers(**{"X-Zm-Request-Timestamp": f"{NOW}000"})))
    assert "refused   timestamp grammar" in found
    assert "cause: the timestamp header is in milliseconds, and seconds were signed" in found


def test_nothing_fits_a_forgery() -> None:
    """Then the two things to compare are named."""
    found = said(raw(), "another-secret-token")
    assert "no usual cause matches: compare the secret with the app's Secret Token" in found
    assert "it is not verified. The following holds only if it is genuine:" in found


def signed(**content: Any) -> bytes:
    """A genuine delivery of some content."""
    return raw(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("content", "level", "expected"),
    [
        (
            {"event": "phone.callee_answered", "payload": {"account_id": "AcctMadeUp01"}},
            "user",
            "Concerned users: the event names no user",
        ),
        (
            {
                "event": "user.updated",
                "payload": {
                    "account_id": "AcctMadeUp01",
                    "operator_id": "AdminMadeUp01",
                    "object": {"id": "JaneMadeUp01"},
                },
            },
            "user",
            "Concerned users: JaneMadeUp01",
        ),
        (
            {"event": "meeting.rtms_stopped", "payload": {"rtms_stream_id": "x"}},
            "user",
            "Account: none in the payload",
        ),
        (
            {
                "event": "meeting.ended",
                "payload": {"account_id": "AcctMadeUp01", "object": {"host_id": "JaneMadeUp01"}},
            },
            "account",
            "Forwarded with the installations of the account",
        ),
        (
            {
                "event": "endpoint.url_validation",
                "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"},
            },
            "user",
            "it is a challenge: the service responds and stores nothing",
        ),
    ],
)
def test_what_becomes_of_the_event_is_said(
    content: dict[str, Any], level: str, expected: str
) -> None:
    """Account, concerned users and recipients, by the table of the service itself."""
    assert expected in said(signed(**content), level=level)


def test_the_client_of_a_removal_is_named() -> None:
    """With a client id, another client's removal has no effect; without one the id is shown."""
    content = signed(
        event="app_deauthorized",
        payload={"client_id": "ClientMadeUp01", "account_id": "a", "user_id": "u"},
    )
    assert "it removes the app for that user" in said(content, client_id="ClientMadeUp01")
    assert "it has no effect here" in said(content, client_id="OtherMadeUp01")
    assert "(client id ClientMadeUp01)" in said(content)


def test_a_body_alone_is_described_and_refused() -> None:
    """Without headers nothing is signed, and the event can still be looked at."""
    found = said(BODY)
    assert "the x-zm-signature header is missing" in found
    assert "has the body of an event and no headers" in found
    assert "Concerned users: HostMadeUp01" in found
    assert found.endswith("result: refused")


HOSTILE = "\x1b[2J\x07\u202e\u2028\x9b"


def test_no_control_character_of_a_capture_is_printed() -> None:
    """Method, path, headers, ids and names come from a stranger: each is escaped where shown."""
    content = {
        "event": "meeting.ended",
        "payload": {
            "account_id": f"a{HOSTILE}",
            "object": {"host_id": f"u{HOSTILE}"},
            "client_id": HOSTILE,
        },
    }
    whole = captured(signed(**content))
    everything = [
        said(whole),
        said(replace(whole, method=f"GET{HOSTILE}")),
        said(replace(whole, path=f"/{HOSTILE}", method="PUT")),
        said(replace(whole, notes=[f"a note {HOSTILE}"])),
        said(replace(whole, body=json.dumps({**content, "event": HOSTILE}).encode())),
        said(signed(event="app_deauthorized", payload={"client_id": HOSTILE})),
    ]
    for text in everything:
        assert all(line.isprintable() for line in text.split("\n")), text
    assert r"\x1b[2J" in said(replace(whole, method=f"GET{HOSTILE}"))


def test_a_get_and_a_long_body_stop_at_the_request() -> None:
    """A request that the webhook does not answer is not verified."""
    assert Outcome.REFUSED is outcome(captured(raw().replace(b"POST", b"GET")), "request")
    found = replace(captured(raw()), body=b" " * (1 << 21))
    assert Outcome.REFUSED is outcome(found, "request")
    assert Outcome.SKIPPED is outcome(found, "signature")
