"""Events in deliveries that verified. Signed does not mean sane."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.errors import EventInvalid
from paraph.secret import Secret
from paraph.zoom.events import (
    AppDeauthorized,
    Event,
    parse_app_deauthorized,
    parse_date_time,
    parse_event,
    parse_identifier,
    parse_url_validation,
)
from paraph.zoom.webhook_response import answer_url_validation
from paraph.zoom.webhook_verification import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    Freshness,
    VerifiedDelivery,
    check_delivery_headers,
    sign_webhook,
    verify_webhook,
)

FOLDER = Path(__file__).parents[1] / "vectors"
DEAUTHORIZED = json.loads((FOLDER / "app_deauthorized.json").read_bytes())["events"]
CHALLENGES = json.loads((FOLDER / "url_validation.json").read_bytes())
NOW = 1740439740


def comment_of(vector: dict[str, Any]) -> str:
    """The vector's own words as the name of the test."""
    return str(vector["comment"])


def deliver(body: bytes, secret: str = "zoom-sim-secret-token") -> VerifiedDelivery:
    """A delivery of these bytes that verified."""
    signature = sign_webhook(Secret(secret), timestamp=NOW, body=body)
    headers = [(TIMESTAMP_HEADER, b"%d" % NOW), (SIGNATURE_HEADER, signature.encode())]
    fresh = check_delivery_headers(headers, now=NOW, freshness=Freshness())
    return verify_webhook(fresh, body, secrets=[Secret(secret)])


def parse(**content: Any) -> Event:
    """The event in an object of these members."""
    return parse_event(deliver(json.dumps(content).encode()))


def challenge(token: Any) -> bytes:
    """The body of a challenge with this token."""
    return json.dumps(
        {"payload": {"plainToken": token}, "event_ts": 1, "event": "endpoint.url_validation"},
    ).encode()


def test_an_event_has_name_time_account_and_payload() -> None:
    """The four things that a handler and a router need are read from where Zoom puts them."""
    event = parse(event="meeting.ended", event_ts=1626230691572, payload={"account_id": "A1"})
    assert Event("meeting.ended", 1626230691572, "A1", {"account_id": "A1"}) == event


def test_raw_unicode_and_escapes_may_be_mixed() -> None:
    """One body may spell the same letter twice; both readings are the same letter."""
    escaped = r"caf\u00e9 \ud83c\udf89"
    body = f'{{"event":"a.b","payload":{{"x":"{escaped}","y":"café 🎉"}}}}'
    payload = parse_event(deliver(body.encode())).payload
    assert payload["x"] == payload["y"] == "café 🎉"


def test_the_payload_may_be_absent() -> None:
    """An event without payload is an event with an empty one."""
    assert parse(event="a.b").payload == {}


@pytest.mark.parametrize("payload", [None, [], "{}", 7, True])
def test_the_payload_is_an_object(payload: Any) -> None:
    """A payload of another type is refused, so handlers need not look."""
    with pytest.raises(EventInvalid):
        parse(event="a.b", payload=payload)


@pytest.mark.parametrize(
    "name",
    ["", "a" * 101, "a b", "a\n", "a-b", "é", "<b>", "\u0661", None, 7, True, ["a"], {"a": 1}],
)
def test_the_name_is_a_name(name: Any) -> None:
    """A name becomes a metric and a key of handlers, so its alphabet and length are closed."""
    with pytest.raises(EventInvalid):
        parse(event=name, payload={})


@pytest.mark.parametrize(
    "name", ["a", "a" * 100, "phone.callee_ringing", "app_deauthorized", "A.9"]
)
def test_names_of_the_platform_pass(name: str) -> None:
    """Letters, digits, dots and underscores, up to a hundred of them."""
    assert name == parse(event=name).name


def test_an_event_without_name_is_none() -> None:
    """The name is the one thing that nothing else can stand for."""
    with pytest.raises(EventInvalid):
        parse(payload={})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"event_ts": 1626230691572}, 1626230691572),
        ({"event_ts": "1641884378841"}, 1641884378841),
        ({"payload": {"event_ts": 1626230691572}}, 1626230691572),
        ({"event_ts": None, "payload": {"event_ts": 5}}, 5),
        ({"event_ts": 1, "payload": {"event_ts": 5}}, 1),
        ({"event_ts": 0}, 0),
        ({}, None),
        ({"event_ts": "2024-09-08 15:58:40"}, None),
        ({"event_ts": "١٦٤١٨٨٤٣٧٨٨٤١"}, None),
        ({"event_ts": "1641884378841\n"}, None),
        ({"event_ts": True}, None),
        ({"event_ts": -1}, None),
        ({"event_ts": 10**13}, None),
        ({"event_ts": 1626230691572.0}, None),
        ({"event_ts": []}, None),
    ],
)
def test_the_time_is_read_leniently(content: dict[str, Any], expected: int | None) -> None:
    """The time informs and decides nothing, and Zoom writes it in many ways: unreadable is None."""
    assert expected == parse(event="a.b", **content).event_ts


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"account_id": "AbC"}, "AbC"),
        ({"accountId": "AbC"}, "AbC"),
        ({"account_id": None, "accountId": "AbC"}, "AbC"),
        ({"account_id": "One", "accountId": "Two"}, "One"),
        ({}, None),
        ({"account_id": 7}, None),
        ({"account_id": ""}, None),
        ({"account_id": "a b"}, None),
        ({"account_id": "x" * 65}, None),
        ({"object": {"account_id": "nested"}}, None),
    ],
)
def test_the_account_is_an_identifier_or_none(
    payload: dict[str, Any],
    expected: str | None,
) -> None:
    """What is no identifier routes the event to nobody, and is never trimmed into one."""
    assert expected == parse(event="a.b", payload=payload).account_id


def test_text_that_was_cut_in_half_loses_no_event() -> None:
    """A name cut within a character is text alone; an identifier with one stays no identifier."""
    for half in (b"\\ud83d", b"\xf0\x9f"):
        payload = b'{"account_id":"A%b","object":{"topic":"Tides %b"}}' % (half, half)
        event = parse_event(deliver(b'{"event":"a.b","payload":' + payload + b"}"))
        assert (None, "Tides \ufffd") == (event.account_id, event.payload["object"]["topic"])
        with pytest.raises(EventInvalid):
            parse_event(deliver(b'{"event":"a.b%b"}' % half))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"a.b"',
        b"{",
        b'{"event":"a.b","event":"c.d"}',
        b'{"event":"a.b","n":NaN}',
        b'{"event":"a.b","n":Infinity}',
        b'{"event":"a.b","n":' + b"1" * 5000 + b"}",
        b'\xef\xbb\xbf{"event":"a.b"}',
        '{"event":"a.b"}'.encode("utf-16"),
        b'{"event":"a.b","x":' + b"[" * 33 + b"]" * 33 + b"}",
        b'{"event":"a.b","x":' + b"[" * 100_000,
        b'{"event":"a.b"} {}',
    ],
    ids=lambda body: repr(body[:30]),
)
def test_the_body_is_one_strict_json_object(body: bytes) -> None:
    """A signature does not make nonsense safe to parse: it is refused, and quickly."""
    with pytest.raises(EventInvalid):
        parse_event(deliver(body))


def test_an_event_shows_no_personal_data() -> None:
    """Account and payload stay out of logs and tracebacks."""
    event = parse(event="a.b", payload={"account_id": "canary", "topic": "canary"})
    assert "canary" not in repr(event)


@pytest.mark.parametrize(
    "vector",
    [vector for vector in DEAUTHORIZED if vector["result"] == "valid"],
    ids=comment_of,
)
def test_deauthorizations_are_read_in_every_known_form(vector: dict[str, Any]) -> None:
    """Ids byte for byte, time in seconds or unreadable, retention only when it is explicit."""
    found = parse_app_deauthorized(parse_event(deliver(vector["body"].encode())))
    assert AppDeauthorized(**vector["expected"]) == found


@pytest.mark.parametrize(
    "vector",
    [vector for vector in DEAUTHORIZED if vector["result"] == "invalid"],
    ids=comment_of,
)
def test_doubtful_deauthorizations_delete_nothing(vector: dict[str, Any]) -> None:
    """Without client, account and user there is nobody to delete."""
    with pytest.raises(EventInvalid):
        parse_app_deauthorized(parse_event(deliver(vector["body"].encode())))


def test_retention_is_a_real_boolean() -> None:
    """Neither the string "false" nor the number one is a yes by accident of the language."""
    event = parse(
        event="app_deauthorized",
        payload={"client_id": "c", "account_id": "a", "user_id": "u", "user_data_retention": 1},
    )
    assert parse_app_deauthorized(event).user_data_retention is False


def test_a_deauthorization_shows_no_personal_data() -> None:
    """The Zoom user and account stay out of logs."""
    payload = {"client_id": "client", "account_id": "canary", "user_id": "canary"}
    found = parse_app_deauthorized(parse(event="app_deauthorized", payload=payload))
    assert "canary" not in repr(found)


@pytest.mark.parametrize("vector", CHALLENGES["answers"], ids=comment_of)
def test_challenges_are_answered_with_their_hmac(vector: dict[str, Any]) -> None:
    """The answer holds the token and its HMAC in lower-case hexadecimal, and nothing else."""
    body = challenge(vector["plainToken"])
    delivery = deliver(body, secret=vector["secret"])
    answer = answer_url_validation(delivery, parse_event(delivery))
    expected = (
        f'{{"plainToken":"{vector["plainToken"]}","encryptedToken":"{vector["encryptedToken"]}"}}'
    )
    assert expected.encode() == answer


@pytest.mark.parametrize("vector", CHALLENGES["refused"], ids=comment_of)
def test_odd_tokens_get_no_hmac(vector: dict[str, Any]) -> None:
    """Even a signed challenge with a token outside the plain alphabet is refused, unreflected."""
    delivery = deliver(challenge(vector["plainToken"]))
    event = parse_event(delivery)
    with pytest.raises(EventInvalid):
        parse_url_validation(event)
    with pytest.raises(EventInvalid) as refusal:
        answer_url_validation(delivery, event)
    assert str(vector["plainToken"]) not in refusal.value.detail or vector["plainToken"] == ""


def test_only_a_challenge_is_answered_as_one() -> None:
    """A token inside another event is not signed."""
    event = parse(event="meeting.ended", payload={"plainToken": "qgg8vlvZRS6UYooatFL8Aw"})
    with pytest.raises(EventInvalid):
        parse_url_validation(event)


def test_a_challenge_without_token_is_refused() -> None:
    """Absent is as bad as odd."""
    with pytest.raises(EventInvalid):
        parse_url_validation(parse(event="endpoint.url_validation"))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_is_signed_is_an_event_or_an_error(body: bytes) -> None:
    """Signed bytes end in an event or in EventInvalid, never in anything else."""
    try:
        event = parse_event(deliver(body))
    except EventInvalid:
        return
    assert event.name


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["client_id", "account_id", "user_id", "deauthorization_time", "user_data_retention"],
)


@given(st.dictionaries(FIELDS, JSON))
def test_whatever_the_payload_a_deauthorization_or_an_error(payload: dict[str, Any]) -> None:
    """No payload makes the parser of deauthorizations fail in another way."""
    event = Event("app_deauthorized", None, None, payload)
    try:
        found = parse_app_deauthorized(event)
    except EventInvalid:
        return
    assert payload["user_id"] == found.user_id


@given(st.text(max_size=40) | st.datetimes().map(lambda moment: moment.isoformat() + "Z"))
def test_whatever_the_text_a_time_or_none(text: str) -> None:
    """Reading a time never raises."""
    assert isinstance(parse_date_time(text), int | None)


@pytest.mark.parametrize("value", ["a", "x" * 64, "z9jkdsfsdfjhdkfjQ", "wceIoD0l/+w==", "A!~"])
def test_identifiers_are_kept_byte_for_byte(value: str) -> None:
    """Printable ASCII of up to 64 characters passes unchanged."""
    assert value == parse_identifier(value)


@pytest.mark.parametrize(
    "value",
    ["", "x" * 65, "a b", " a", "a\n", "a\0", "é", "\u202ea", "\x7f", 7, None, True, b"a", ["a"]],
)
def test_anything_else_is_no_identifier(value: Any) -> None:
    """Nothing is trimmed, folded or converted into an identifier."""
    assert parse_identifier(value) is None
