"""A strict JSON parser: one object, in UTF-8, without duplicate names (RFC 8259).

Lenient parsers disagree about duplicate names, NaN and byte order marks. If two programs can read
one message differently, an attacker uses the difference.

Broken text is accepted: programs that truncate names leave half of a surrogate pair, or bytes that
are not UTF-8. Each is read as U+FFFD, the replacement character. No identifier, token or name that
paraph compares contains it, so it changes no decision.

The parser is the standard library's. Where msgspec is installed it reads compact bodies, which are
nearly all of them, at a tenth of the cost and with the same results.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from paraph.errors import MessageMalformed

try:
    import msgspec
except ModuleNotFoundError:
    _compact = None
else:
    _compact = (msgspec.json.Decoder().decode, msgspec.json.Encoder().encode, msgspec.MsgspecError)

MAX_DEPTH = 32
_MAX_INTEGER_DIGITS = 20
_MAX_NUMBER_LENGTH = 64
_MANY_DIGITS = re.compile(rb"[0-9]{20,}")
# Translates the body in one pass, at half a nanosecond per byte.
_DIGITS_ALONE = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_REPLACEMENT = "\ufffd"
_HALF = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89abcdefABCDEF]")
# Matches a string, or one bracket: brackets inside strings do not nest. An unterminated string
# is one match to the end of the body, so that the scan stays linear.
_STRUCTURE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)


def parse_json_object(body: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Parse a body that is one JSON object.

    Args:
        body: the raw bytes of the body.
        max_depth: the allowed nesting depth of arrays and objects.

    Raises:
        MessageMalformed: the body is not one JSON object within these limits. Repeated names,
            byte order marks, NaN, Infinity and overlong numbers are refused.
    """
    return _parse(body, max_depth)[0]


def readable_json(body: bytes, *, max_depth: int = MAX_DEPTH) -> bytes:
    """Rewrite a body for parsers that refuse broken text; other bodies are returned unchanged.

    Args:
        body: a body that `parse_json_object` accepts.
        max_depth: the allowed nesting depth of arrays and objects.

    Raises:
        MessageMalformed: `parse_json_object` refuses the body.
    """
    parsed, is_whole = _parse(body, max_depth)
    return body if is_whole else json.dumps(parsed, separators=(",", ":")).encode("ascii")


def _parse(body: bytes, max_depth: int) -> tuple[dict[str, Any], bool]:
    """Return the object, and True if no text in it is broken."""
    canonical = _parse_canonical(body, max_depth)
    if canonical is not None:
        return canonical, True
    # Check the depth first, on bytes, because deep nesting exhausts the parser's stack.
    _demand_depth(body, max_depth)
    try:
        # json.loads detects UTF-16 and UTF-32 in bytes; RFC 8259 section 8.1 allows UTF-8 only.
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
        raise MessageMalformed("the body is JSON but not an object")
    is_whole = _REPLACEMENT not in text or _is_utf8(body)
    if _SURROGATE_ESCAPE.search(text):
        # An escaped lone surrogate parses, but fails later when the text is encoded.
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
    """Replace every lone surrogate in a value."""
    if isinstance(value, str):
        return _HALF.sub(_REPLACEMENT, value)
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(one) for name, one in value.items()}
    return value


def _parse_canonical(body: bytes, max_depth: int) -> dict[str, Any] | None:
    """Parse compact JSON at a tenth of the cost; None if the full parser is needed.

    The body is parsed and serialized again. If the bytes are equal, it contains nothing ambiguous:
    duplicate names, whitespace, a byte order mark and lone surrogates would not be reproduced.
    Most programs write compact JSON, so this path reads nearly all bodies.
    """
    # Many brackets can still be shallow; the full parser then measures the depth.
    if _compact is None or body.count(b"{") + body.count(b"[") > max_depth:
        return None
    if _may_hold_long_integer(body):
        return None
    decode, encode, refusal = _compact
    try:
        parsed = decode(body)
        same = encode(parsed) == body
    except (ValueError, RecursionError, refusal):
        return None
    return parsed if same and isinstance(parsed, dict) else None


def _may_hold_long_integer(body: bytes) -> bool:
    if b"0" * _MAX_INTEGER_DIGITS not in body.translate(_DIGITS_ALONE):
        return False
    # The character before the digits distinguishes a number from digits in a string. A comma in a
    # string is taken for a number, too: that only costs the full parser.
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
            raise MessageMalformed("the body repeats a name in one object")
    return result


def _constant(_text: str) -> NoReturn:
    raise MessageMalformed("the body contains NaN or Infinity, which JSON does not allow")


def _integer(text: str) -> int:
    if len(text) > _MAX_INTEGER_DIGITS:
        raise MessageMalformed("the body contains an integer with too many digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text) if len(text) <= _MAX_NUMBER_LENGTH else float("inf")
    if value in {float("inf"), float("-inf")}:
        raise MessageMalformed("the body contains a number out of range")
    return value
