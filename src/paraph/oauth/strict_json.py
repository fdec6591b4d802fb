"""JSON as a peer must write it: one object, in UTF-8, saying each thing once (RFC 8259).

Lenient parsers disagree about duplicate names, NaN and byte order marks; where two readers of one
message can disagree, an attacker chooses which one is asked.

Text may be broken: programs cut names within a character, which leaves half of a surrogate pair or
bytes that are not UTF-8. Such a half is read as U+FFFD, the replacement character. No identifier,
token or name of ours contains it, so it changes no decision.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import msgspec

from paraph.errors import MessageMalformed

MAX_DEPTH = 32
_MAX_INTEGER_DIGITS = 20
_MAX_NUMBER_LENGTH = 64
_MANY_DIGITS = re.compile(rb"[0-9]{20,}")
# Turns a look at each byte into one pass that costs a nanosecond for two of them.
_DIGITS_ALONE = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_REPLACEMENT = "\ufffd"
_HALF = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89abcdefABCDEF]")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
# A string, or one bracket: what is inside strings does not nest. A string that never ends is
# taken as one match to the end of the body, so that the scan stays linear.
_STRUCTURE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)


def parse_json_object(body: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The object that the body is.

    Args:
        body: the raw bytes.
        max_depth: how many arrays and objects may stand inside each other.

    Raises:
        MessageMalformed: not UTF-8, a byte order mark, no object, a name twice in one object,
            NaN or Infinity, a number of absurd length, or too deep.
    """
    return _parse(body, max_depth)[0]


def readable_json(body: bytes, *, max_depth: int = MAX_DEPTH) -> bytes:
    """The same object for parsers that refuse broken text; a body without any stays as it is.

    Args:
        body: a body that `parse_json_object` accepts.
        max_depth: as there.

    Raises:
        MessageMalformed: as there.
    """
    parsed, is_whole = _parse(body, max_depth)
    return body if is_whole else json.dumps(parsed, separators=(",", ":")).encode("ascii")


def _parse(body: bytes, max_depth: int) -> tuple[dict[str, Any], bool]:
    """The object, and whether its text is whole."""
    canonical = _parse_canonical(body, max_depth)
    if canonical is not None:
        return canonical, True
    # Depth first, on bytes: the parser itself would run out of stack.
    _demand_depth(body, max_depth)
    try:
        # json.loads would guess UTF-16 and UTF-32 from bytes; RFC 8259 section 8.1 has UTF-8 only.
        text = body.decode("utf-8", "replace")
        parsed = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except (ValueError, RecursionError):
        raise MessageMalformed("the body is not strict JSON in UTF-8") from None
    if not isinstance(parsed, dict):
        raise MessageMalformed("the body is JSON but no object")
    is_whole = _REPLACEMENT not in text or _is_utf8(body)
    if _SURROGATE_ESCAPE.search(text):
        # An escaped half parses, and fails later wherever the text is encoded.
        whole = _whole(parsed)
        return whole, is_whole and whole == parsed
    return parsed, is_whole


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except ValueError:
        return False
    return True


def _whole(value: Any) -> Any:
    """The value with every half of a surrogate pair replaced."""
    if isinstance(value, str):
        return _HALF.sub(_REPLACEMENT, value)
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(one) for name, one in value.items()}
    return value


def _parse_canonical(body: bytes, max_depth: int) -> dict[str, Any] | None:
    """The same object, for compact JSON, at a tenth of the price. None: ask the long way.

    What is written back byte for byte as it was read can hold nothing that two readers could
    take differently: a name given twice, blanks, a mark in front or a lone surrogate would not
    come back. Machines write like this, so nearly all bodies are read here.
    """
    # More brackets than levels may still be shallow: then the long way counts.
    if body.count(b"{") + body.count(b"[") > max_depth or _may_hold_long_integer(body):
        return None
    try:
        parsed = _decode(body)
        same = _encode(parsed) == body
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return None
    return parsed if same and isinstance(parsed, dict) else None


def _may_hold_long_integer(body: bytes) -> bool:
    if b"0" * _MAX_INTEGER_DIGITS not in body.translate(_DIGITS_ALONE):
        return False
    # What stands before digits tells a number from a part of a string, a comma in one aside.
    return any(body[run.start() - 1] in b":,[-" for run in _MANY_DIGITS.finditer(body))


def _demand_depth(body: bytes, max_depth: int) -> None:
    depth = 0
    for match in _STRUCTURE.finditer(body):
        character = match[0][:1]
        if character in b"[{":
            depth += 1
            if depth > max_depth:
                raise MessageMalformed(f"the body nests deeper than {max_depth} levels")
        elif character in b"]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs if _REPLACEMENT not in name]
        if len(set(names)) != len(names):
            raise MessageMalformed("the body names something twice in one object")
    return result


def _constant(_text: str) -> NoReturn:
    raise MessageMalformed("the body holds NaN or Infinity, which JSON has not")


def _integer(text: str) -> int:
    if len(text) > _MAX_INTEGER_DIGITS:
        raise MessageMalformed("the body holds an integer of absurd length")
    return int(text)


def _float(text: str) -> float:
    value = float(text) if len(text) <= _MAX_NUMBER_LENGTH else float("inf")
    if value in {float("inf"), float("-inf")}:
        raise MessageMalformed("the body holds a number out of range")
    return value
