"""Responses as they arrive on a socket, and the differences between two of them.

Two services never answer with the same random values. So two texts are compared word by word, and
two words may differ only where both look random and have the same length, or both are times.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_WORD = re.compile(r"([A-Za-z0-9_-]+)")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?UTC|Z|\+00:00)?")
_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
_ADDRESS = re.compile(r"(localhost|127\.0\.0\.1):\d{4,5}")
_RANDOM_LENGTH = 12
_NUMBER = re.compile(r"-?[0-9]+")
_DAY = 86400
# Seconds that pass between two responses of one step of a flow.
_SECONDS_APART = 20
_SHORT_TIMES = {"expires_in", "retry-after", "max-age", "clock_skew_seconds", "late_by_seconds"}
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response: status 0 means that the connection ended or stayed silent.

    Attributes:
        status: the HTTP status code.
        reason: the reason phrase.
        headers: names and values, in order and as they were written.
        body: the complete body, without chunks.
        raw: the bytes as they arrived.
    """

    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    raw: bytes = b""

    def header(self, name: str) -> str:
        """Return the value of a header; "" if it is missing."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def cookies(self) -> dict[str, str]:
        """Return the cookies that the response sets, by name."""
        pairs = [v.partition(";")[0].partition("=") for n, v in self.headers if n == "set-cookie"]
        return {name: value for name, _, value in pairs}

    def json(self) -> Any:
        """Return the body as JSON; an empty object if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


def parse_responses(data: bytes, *, to_head: bool = False) -> tuple[list[Response], bytes]:
    """Return the complete responses at the beginning of some bytes, and the remaining bytes.

    Args:
        data: the received bytes.
        to_head: the request was HEAD, so its response has no body.
    """
    found = []
    while b"\r\n\r\n" in data:
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in lines]
        headers = tuple((name, value.strip()) for name, _, value in pairs)
        known = {name.lower(): value for name, value in headers}
        status = int(first.split()[1])
        body = (b"", 0) if to_head else _body(rest, known, status)
        if body is None:
            break
        whole, length = body
        raw = data[: len(head) + 4 + length]
        found.append(Response(status, first.split(" ", 2)[-1], headers, whole, raw))
        data = data[len(raw) :]
    return found, data


def _body(rest: bytes, headers: Mapping[str, str], status: int) -> tuple[bytes, int] | None:
    """Return the body and its length on the wire; None if it is incomplete."""
    if headers.get("transfer-encoding") == "chunked":
        whole, at = b"", 0
        while (end := rest.find(b"\r\n", at)) >= 0:
            size = int(rest[at:end].partition(b";")[0], 16)
            if len(rest) < end + 2 + size + 2:
                return None
            whole += rest[end + 2 : end + 2 + size]
            at = end + 2 + size + 2
            if size == 0:
                return whole, at
        return None
    length = 0 if status < 200 or status in {204, 304} else int(headers.get("content-length", 0))
    return (rest[:length], length) if len(rest) >= length else None


@dataclass(slots=True)
class Allowed:
    """The intended differences, as listed in a file.

    Attributes:
        prose: texts of the old version with their new wording.
        keys: names that the new version adds to JSON objects, or leaves out.
        names: other old names with their new ones, wherever they occur as a whole.
        used: entries that explained a difference.
    """

    prose: tuple[tuple[str, str], ...] = ()
    keys: frozenset[str] = frozenset()
    used: set[str] = field(default_factory=set)

    def rewritten(self, text: str) -> str:
        """Return a text of the old version with the new wording."""
        for old, new in self.prose:
            if old in text:
                self.used.add(old)
                text = text.replace(old, new)
        return text


def read_allowed(file: Path) -> Allowed:
    """Read a list of lines such as `prose: old => new` and `key: name`; `#` begins a comment."""
    prose, keys = [], set()
    for line in file.read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(": ")
        if kind == "prose":
            old, _, new = rest.partition(" => ")
            prose.append((old, new))
        elif kind == "key":
            keys.add(rest.strip())
    # The longest first: a short entry may be a part of it.
    prose.sort(key=lambda one: -len(one[0]))
    return Allowed(tuple(prose), frozenset(keys))


def differences(old: Response, new: Response, allowed: Allowed) -> list[str]:
    """Return the differences between two responses, each as a line."""
    if (old.status, old.reason) != (new.status, new.reason):
        return [f"status: {old.status} {old.reason} / {new.status} {new.reason}"]
    body = list(_body_differences(old, new, allowed))
    return [*_header_differences(old, new, same_text=_text(old) == _text(new)), *body]


def _header_differences(old: Response, new: Response, *, same_text: bool) -> Iterator[str]:
    names = [name for name, _ in old.headers]
    if names != [name for name, _ in new.headers]:
        yield f"header names: {names} / {[name for name, _ in new.headers]}"
        return
    for (name, before), (_, after) in zip(old.headers, new.headers, strict=True):
        if name.lower() == "date" and _DATE.fullmatch(before) and _DATE.fullmatch(after):
            continue
        if name.lower() == "content-length" and not same_text and before.isdigit():
            # The bodies differ, and are compared by themselves.
            continue
        if not same_words(before, after, is_short_time=name.lower() in _SHORT_TIMES):
            yield f"header {name}: {before[:_SHOWN]} / {after[:_SHOWN]}"


def _text(response: Response) -> str:
    return response.body.decode("utf-8", "replace")


def _body_differences(old: Response, new: Response, allowed: Allowed) -> Iterator[str]:
    if old.body == new.body:
        return
    if "json" in new.header("content-type") and (old.json() or new.json()):
        yield from _json_differences(old.json(), new.json(), "", allowed)
    elif not _same_prose(_text(old), _text(new), allowed):
        yield f"text: {_first_difference(_text(old), _text(new))}"


def _json_differences(old: Any, new: Any, place: str, allowed: Allowed) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        changed = allowed.keys.intersection(new.keys() ^ old.keys())
        allowed.used.update(changed)
        before, after = ([one for one in names if one not in changed] for names in (old, new))
        if before != after:
            yield f"JSON names at {place or '/'}: {before} / {after}"
        for name in before:
            if name in new:
                yield from _json_differences(old[name], new[name], f"{place}/{name}", allowed)
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield f"JSON length at {place}: {len(old)} / {len(new)}"
            return
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _json_differences(one, other, f"{place}/{number}", allowed)
    elif type(old) is not type(new) or not _same_value(old, new, place, allowed):
        yield f"JSON value at {place}: {str(old)[:_SHOWN]} / {str(new)[:_SHOWN]}"


def _same_value(old: Any, new: Any, place: str, allowed: Allowed) -> bool:
    if isinstance(old, str):
        return _same_prose(old, new, allowed)
    is_short = place.rpartition("/")[2] in _SHORT_TIMES
    return old == new or same_words(str(old), str(new), is_short_time=is_short)


def _same_prose(old: str, new: str, allowed: Allowed) -> bool:
    return same_words(old, new) or same_words(allowed.rewritten(old), new)


def same_words(old: str, new: str, *, is_short_time: bool = False) -> bool:
    """Return True if two texts are equal except for random values and times."""
    if old == new:
        return True
    before, after = (_WORD.split(_unified(text)) for text in (old, new))
    return len(before) == len(after) and all(
        one == other or _is_volatile(one, other, is_short_time=is_short_time)
        for one, other in zip(before, after, strict=True)
    )


def _unified(text: str) -> str:
    """Replace times, and the ports of this run."""
    return _ADDRESS.sub(r"\1:<port>", _TIME.sub("<time>", text))


def _is_volatile(one: str, other: str, *, is_short_time: bool) -> bool:
    if _NUMBER.fullmatch(one) and _NUMBER.fullmatch(other):
        apart = abs(int(one) - int(other))
        if is_short_time:
            return apart <= _SECONDS_APART
        unit = {10: 1, 13: 1000}.get(len(one))
        return unit is not None and len(one) == len(other) and apart <= _DAY * unit
    return len(one) == len(other) and _looks_random(one) and _looks_random(other)


def _looks_random(word: str) -> bool:
    if len(word) < _RANDOM_LENGTH:
        return False
    if set(word) <= set("0123456789abcdef-"):
        return any(one.isdigit() for one in word)
    has_both = word.lower() != word and word.upper() != word
    # A long random value has letters of both cases; words of a language have no capital inside.
    return has_both and bool(re.search(r"[a-z0-9_][A-Z]|[A-Z]{2}|[0-9]", word))


def _first_difference(old: str, new: str) -> str:
    before, after = old.splitlines(), new.splitlines()
    for one, other in zip(before, after, strict=False):
        if not same_words(one, other):
            at = next(
                (n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), 0
            )
            at = max(0, at - 20)
            return f"{one[at : at + 2 * _SHOWN]!r} / {other[at : at + 2 * _SHOWN]!r}"
    return f"{len(before)} / {len(after)} lines"


def masked(responses: Sequence[Response]) -> bytes:
    """Return the bytes of responses without the date, to compare byte for byte."""
    return re.sub(rb"(?im)^date: [^\r]*\r$", b"date:\r", b"".join(one.raw for one in responses))
