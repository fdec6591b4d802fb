"""JSON as a peer must write it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paraph import strict_json
from paraph.errors import MessageMalformed
from paraph.strict_json import parse_json_object, readable_json
from vector_files import cases


@pytest.fixture(params=["msgspec", "standard library"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The parser with msgspec, and as it is where msgspec is not installed."""
    assert strict_json._compact is not None
    if request.param == "standard library":
        monkeypatch.setattr(strict_json, "_compact", None)
    return str(request.param)


def test_msgspec_is_optional() -> None:
    """Without msgspec the module is imported, and parses with the standard library."""
    code = (
        "import sys; sys.modules['msgspec'] = None\n"
        "from paraph import strict_json; print(strict_json._compact)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "None" == done.stdout.strip()


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("case", cases("strict_json"))
def test_vectors(case: dict[str, Any]) -> None:
    """Each vector is read, or refused with MessageMalformed."""
    body = bytes.fromhex(case["body_hex"]) if "body_hex" in case else case["body"].encode()
    if case["result"] == "valid":
        assert json.loads(case.get("cleaned", body)) == parse_json_object(body)
    else:
        with pytest.raises(MessageMalformed):
            parse_json_object(body)


@given(
    st.binary(max_size=300) | st.text(alphabet='{}[]":,\\u0019ea-d ', max_size=80).map(str.encode)
)
def test_any_bytes_give_a_value_or_a_refusal(body: bytes) -> None:
    """Whatever bytes arrive: an object, or MessageMalformed."""
    with suppress(MessageMalformed):
        assert isinstance(parse_json_object(body), dict)


_PLAIN: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _PLAIN,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
_COMPACT = st.dictionaries(st.text(max_size=4), _VALUES).map(
    lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )
)


def _verdict(body: bytes) -> object:
    try:
        return parse_json_object(body)
    except MessageMalformed:
        return "refused"


def _spoil(parts: tuple[bytes, int, bytes, bytes]) -> bytes:
    body, place, old, new = parts
    at = place % (len(body) + 1)
    return body[:at] + body[at:].replace(old, new, 1)


@given(
    _COMPACT
    | st.tuples(
        _COMPACT,
        st.integers(0, 400),
        st.sampled_from([b"", b'"', b":", b",", b"{", b"}", b"1", b"a"]),
        st.sampled_from([b"\xff", b'"', b'"":0,', b"{", b"1" * 21, b" ", b"\\ud800", b"NaN", b""]),
    ).map(_spoil)
    | st.binary(max_size=60)
)
@example(b'{"a":' + b"9" * 20 + b"}")
@example(b'{"a":' + b"9" * 21 + b"}")
@example(b'{"a":"\xff"}')
@example(b'{"\xc3":1}')
@example(b'{"a":1,"a":1}')
@example(b'{"a":[' + b"[" * 30 + b"]" * 30 + b"]}")
def test_msgspec_changes_no_result(body: bytes) -> None:
    """Whatever arrives, the parser gives the same value or refusal with and without msgspec."""
    quick = _verdict(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_json, "_compact", None)
        thorough = _verdict(body)
    assert repr(thorough) == repr(quick)


_VALID = [case for case in cases("strict_json") if case.values[0]["result"] == "valid"]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("case", _VALID)
def test_what_is_passed_on_can_be_read_by_every_parser(case: dict[str, Any]) -> None:
    """A whole body stays as it is, byte for byte; a broken one is UTF-8 that means the same."""
    body = bytes.fromhex(case["body_hex"]) if "body_hex" in case else case["body"].encode()
    readable = readable_json(body)
    msgspec.json.decode(readable)
    assert parse_json_object(body) == parse_json_object(readable)
    is_broken = "\ufffd" in case.get("cleaned", "")
    assert is_broken == (readable != body)


@given(_COMPACT)
def test_broken_text_changes_no_other_value(body: bytes) -> None:
    """Whatever is read holds no half of a pair, and can be written and read again."""
    with suppress(MessageMalformed):
        readable = readable_json(body)
        assert parse_json_object(readable) == parse_json_object(body)
        json.dumps(parse_json_object(body), ensure_ascii=False).encode("utf-8")
