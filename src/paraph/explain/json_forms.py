"""The forms in which tools reprint JSON. Zoom signs bytes, so each form has another MAC."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice, permutations

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+|\s+', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{4}|.)")
_LARGEST = 1 << 20
_MOST_KEYS = 4


def other_forms(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield other spellings of a JSON body, the likeliest first, each with its name."""
    if len(body) > _LARGEST:
        return
    try:
        text = body.decode("utf-8")
        value = json.loads(text)
        # Printing needs a deeper stack than reading.
        json.dumps(value, indent=2)
    except (ValueError, RecursionError):
        return
    if isinstance(value, str):
        yield "the JSON inside the string", value.encode("utf-8", "surrogatepass")
        return
    tokens = [one for one in _TOKEN.findall(text) if not one.isspace()]
    for spelling, rewrite in _SPELLINGS.items():
        written = [rewrite(one) if one.startswith('"') else one for one in tokens]
        yield f"the compact form{spelling}", "".join(written).encode("utf-8", "surrogatepass")
        spaced = "".join({",": ", ", ":": ": "}.get(one, one) for one in written)
        yield (
            f"the form with a space after comma and colon{spelling}",
            spaced.encode("utf-8", "surrogatepass"),
        )
    for indent in (2, 4, "\t"):
        name = "a tab" if indent == "\t" else f"{indent} spaces"
        pretty = json.dumps(value, indent=indent, ensure_ascii=False)
        yield f"the form indented by {name}", pretty.encode("utf-8", "surrogatepass")
    yield from _reordered(value)


def _reordered(value: object) -> Iterator[tuple[str, bytes]]:
    """Yield compact forms with the top-level names in another order: some tools sort them."""
    if not isinstance(value, dict) or not 1 < len(value) <= _MOST_KEYS:
        return
    for names in islice(permutations(value), 1, None):
        for ascii_only in (False, True):
            text = json.dumps(
                {name: value[name] for name in names},
                separators=(",", ":"),
                ensure_ascii=ascii_only,
            )
            yield (
                f"the compact form with the names in the order {', '.join(names)}",
                text.encode("utf-8", "surrogatepass"),
            )


def _unchanged(token: str) -> str:
    return token


def _unescaped(token: str) -> str:
    return json.dumps(json.loads(token), ensure_ascii=False)


def _ascii_only(token: str) -> str:
    return json.dumps(json.loads(token), ensure_ascii=True)


def _ascii_only_upper(token: str) -> str:
    return _ESCAPE.sub(lambda found: found[0][:2] + found[0][2:].upper(), _ascii_only(token))


def _slashes_escaped(token: str) -> str:
    return token.replace("\\/", "/").replace("/", "\\/")


def _slashes_plain(token: str) -> str:
    return token.replace("\\/", "/")


def _both_escaped(token: str) -> str:
    return _slashes_escaped(_ascii_only(token))


def _markup_escaped(token: str) -> str:
    escapes = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
    return "".join(escapes.get(one, one) for one in _unescaped(token))


_SPELLINGS: dict[str, Callable[[str], str]] = {
    "": _unchanged,
    " with plain slashes": _slashes_plain,
    " with escaped slashes": _slashes_escaped,
    " with letters in place of \\u escapes": _unescaped,
    " with \\u escapes in place of letters": _ascii_only,
    " with \\u escapes in upper case": _ascii_only_upper,
    " with \\u escapes and escaped slashes": _both_escaped,
    " with <, > and & as escapes": _markup_escaped,
}
