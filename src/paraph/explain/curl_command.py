"""Reads a cURL command, as browsers and request tools copy it. It executes and opens nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from paraph.errors import UsageError
from paraph.explain.capture import REMEDY, CapturedRequest, Headers, request
from paraph.explain.cmd_words import cmd_words, is_cmd_text

_CURL = re.compile(rb"(?:[$>#]\s+)?(?:\S*/)?curl(?:\.exe)?\s")
_DATA = {"-d", "--data", "--data-ascii", "--data-raw", "--data-binary", "--json"}
_HEADER = {"-H", "--header"}
_SHORTHANDS = {
    "-A": b"user-agent",
    "--user-agent": b"user-agent",
    "-e": b"referer",
    "--referer": b"referer",
    "-b": b"cookie",
    "--cookie": b"cookie",
}
# Options with a value that is irrelevant here.
_WITH_VALUE = frozenset(
    {
        *("-o", "--output", "-x", "--proxy", "-u", "--user", "-m", "--max-time", "-w", "-E"),
        *("--write-out", "--connect-timeout", "--cacert", "--cert", "--key", "--resolve", "-c"),
        *("--retry", "--interface", "--cookie-jar", "--limit-rate", "--ciphers", "--proto"),
    }
)
_SHORT_WITH_VALUE = frozenset("AEHXbcdemouwx")
_SIMPLE_ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
    "E": "\x1b",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "?": "?",
}
_NUMBERED = re.compile(
    r"x(?P<x>[0-9A-Fa-f]{1,2})|u(?P<u>[0-9A-Fa-f]{1,4})|U(?P<U>[0-9A-Fa-f]{1,8})|(?P<o>[0-7]{1,3})"
)


def is_curl_command(content: bytes) -> bool:
    """Return true if a text begins with `curl`."""
    return _CURL.match(content) is not None


@dataclass(slots=True)
class _Command:
    method: str = ""
    url: bytes = b""
    headers: Headers = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    is_get: bool = False


def read_curl_command(content: bytes) -> CapturedRequest:
    """Return the request that a cURL command would make.

    Raises:
        UsageError: a quote is not closed, the command reads a file, or there is no URL.
    """
    # Latin-1 keeps every byte of the command as one character.
    text = content.decode("latin-1").strip()
    words = (cmd_words(text) if is_cmd_text(text) else _words(text))[1:]
    while words and words[0] == "curl":
        words.pop(0)
    command = _Command()
    while words:
        word = words.pop(0)
        name, attached = _option(word)
        if not name:
            command.url = command.url or word.encode("latin-1")
        elif _takes_value(name):
            if attached is None and not words:
                raise UsageError(f"the cURL option {name} has no value", remedy=REMEDY)
            _apply(command, name, words.pop(0) if attached is None else attached)
        elif name in {"-G", "--get", "-I", "--head"}:
            command.is_get = True
    if not command.url:
        raise UsageError("the cURL command has no URL", remedy=REMEDY)
    return _request_of(command)


def _request_of(command: _Command) -> CapturedRequest:
    names = {name for name, _ in command.headers}
    if command.data and b"content-type" not in names:
        command.headers.append((b"content-type", b"application/x-www-form-urlencoded"))
    posts = bool(command.data) and not command.is_get
    url = command.url if b"://" in command.url else b"http://" + command.url
    return request(
        command.method or ("POST" if posts else "GET"),
        url,
        command.headers,
        b"&".join(command.data),
    )


def _option(word: str) -> tuple[str, str | None]:
    """Return an option's name and the value attached to it; a URL has no name."""
    if word.startswith("--") and len(word) > 2:
        name, equals, value = word.partition("=")
        return name, value if equals else None
    if word.startswith("-") and len(word) > 1:
        for place, letter in enumerate(word[1:], 1):
            # Flags may be combined: -sXPOST.
            if letter in _SHORT_WITH_VALUE:
                return f"-{letter}", word[place + 1 :] or None
        return word[:2], None
    return "", None


def _takes_value(name: str) -> bool:
    known = _DATA | _HEADER | set(_SHORTHANDS) | _WITH_VALUE
    return name in known or name in {
        *("-X", "--request", "--url", "--url-query", "--data-urlencode"),
        *("-F", "--form", "--form-string"),
    }


def _apply(command: _Command, name: str, value: str) -> None:
    raw = value.encode("latin-1")
    if name in {"-X", "--request"}:
        command.method = value
    elif name == "--url":
        command.url = raw
    elif name in _HEADER:
        _refuse_file(value, "headers")
        # To curl, `Name;` is a header without a value.
        header, colon, text = raw.partition(b":")
        if not colon:
            header, _, text = raw.partition(b";")
        command.headers.append((header.strip().lower(), text.strip(b" \t\r\n")))
    elif name in _SHORTHANDS:
        command.headers.append((_SHORTHANDS[name], raw))
    elif name in _DATA:
        if name != "--data-raw":
            _refuse_file(value, "body")
        command.data.append(raw)
        if name == "--json":
            command.headers.append((b"content-type", b"application/json"))
    elif name in {"--data-urlencode", "-F", "--form", "--form-string"}:
        raise UsageError(f"{name} sends a form, and Zoom sends no forms", remedy=REMEDY)


def _refuse_file(value: str, what: str) -> None:
    if value.startswith("@"):
        raise UsageError(
            f"the cURL command reads its {what} from a file, which is not opened",
            remedy="Give them with --headers FILE and --body FILE.",
        )


def _words(text: str) -> list[str]:
    """Split a POSIX shell command into words, without expansions."""
    words: list[str] = []
    current: list[str] | None = None
    place = 0
    while place < len(text):
        if text[place] in " \t\r\n":
            if current is not None:
                words.append("".join(current))
            current = None
            place += 1
            continue
        if text[place : place + 2] in {"\\\n", "^\n"} or text[place : place + 3] == "\\\r\n":
            place = text.index("\n", place) + 1
            continue
        piece, place = _piece(text, place)
        current = [*(current or []), piece]
    return words if current is None else [*words, "".join(current)]


def _piece(text: str, place: int) -> tuple[str, int]:
    """Return one quoted or plain piece of a word, and the position behind it."""
    if text[place] == "'":
        end = _end_of(text, "'", place + 1)
        return text[place + 1 : end], end + 1
    if text.startswith("$'", place):
        return _ansi_quoted(text, place + 2)
    if text[place] == '"':
        return _double_quoted(text, place + 1)
    if text[place] == "\\":
        return text[place + 1 : place + 2], place + 2
    return text[place], place + 1


def _end_of(text: str, quote: str, place: int) -> int:
    end = text.find(quote, place)
    if end < 0:
        raise UsageError("a quote of the cURL command is not closed", remedy=REMEDY)
    return end


def _double_quoted(text: str, place: int) -> tuple[str, int]:
    found: list[str] = []
    while place < len(text) and text[place] != '"':
        if text[place] == "\\" and text[place + 1 : place + 2] in {*'$`"\\', "\n"}:
            found.append("" if text[place + 1] == "\n" else text[place + 1])
            place += 2
        else:
            found.append(text[place])
            place += 1
    return "".join(found), _end_of(text, '"', place) + 1


def _ansi_quoted(text: str, place: int) -> tuple[str, int]:
    found: list[str] = []
    while place < len(text) and text[place] != "'":
        if text[place] != "\\":
            found.append(text[place])
            place += 1
        elif numbered := _NUMBERED.match(text, place + 1):
            found.append(_numbered(numbered))
            place = numbered.end()
        else:
            letter = text[place + 1 : place + 2]
            found.append(_SIMPLE_ESCAPES.get(letter, f"\\{letter}"))
            place += 2
    return "".join(found), _end_of(text, "'", place) + 1


def _numbered(found: re.Match[str]) -> str:
    if found["x"] or found["o"]:
        return chr(int(found["x"] or found["o"], 16 if found["x"] else 8) & 0xFF)
    number = int(found["u"] or found["U"], 16)
    if number > 0x10FFFF:
        return "\N{REPLACEMENT CHARACTER}".encode().decode("latin-1")
    return chr(number).encode("utf-8", "surrogatepass").decode("latin-1")
