"""Decides which call of Zoom's REST API may be made for a host: path, query and method.

An access token goes with the call, so the check reads the bytes that will be sent. It allows known
spellings only, and an unknown spelling is never sent. In particular there is no dot segment, no
encoded separator, no second decoding and no parameter. So Zoom's servers and any proxy before them
read the same path as the allow-list (OWASP ASVS 5.3.2; CWE-22; CWE-441).

Only `parse_target` makes a `Target`, and only `AllowList.permit` a `PermittedCall`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from paraph.errors import CallRefused, ConfigurationError
from paraph.zoom.credential_fields import (
    Field,
    carried_credentials,
    names_credential,
    requested_credentials,
)

API_PREFIX = "/v2/"
MAX_PATH = 1024
MAX_QUERY = 4096
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

# Zoom's ids are letters, digits and base64; e-mail addresses serve as ids of users. Only the
# percent-encodings that such ids need are allowed: @ + , : =
_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~@+=:,-]|%(?:40|2[BbCc]|3[AaDd]))+")
_DOTS = re.compile(r"\.+")
# A meeting's UUID is 16 bytes in base64. Zoom requires double encoding of one with a slash
# (developers.zoom.us/docs/api: meeting and webinar UUIDs). Only here is a separator allowed, only
# behind these segments, and only inside such a UUID. The UUID ends with `==`, so a server that
# decodes it twice does not reach another resource.
_TWICE_ENCODED = re.compile(r"(?:[A-Za-z0-9+=]|%(?:2[Bb]|3[Dd])|%25(?:2[BbFf]|3[Dd])){24}")
_UUID = re.compile(rb"[A-Za-z0-9+/]{22}==")
_NAMED_BY_UUID = frozenset({"meetings", "past_meetings", "webinars", "past_webinars"})
_QUERY = re.compile(r"(?:[A-Za-z0-9._~@+=:,!$&'()*;/?\[\]|-]|%[0-9A-Fa-f]{2})*")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
# A rule may name query fields that return a credential: "GET /v2/x?include_fields=a,b".
_RULE = re.compile(
    r"(\*|[A-Z]+(?:,[A-Z]+)*) (/v2/(?:[A-Za-z0-9_.-]+/|\*/)*(?:[A-Za-z0-9_.-]+|\*\*?))"
    r"(?:\?([a-z_]+=[a-z_,]+(?:&[a-z_]+=[a-z_,]+)*))?"
)

_NOT_MADE = object()


class Target:
    """Path and query of a call, exactly as they will be sent; made by `parse_target`.

    `credentials` holds the fields of the query that ask for a credential in the response.
    """

    __slots__ = ("credentials", "path", "query", "segments")

    def __init__(self, path: str, query: str, made: Any = None) -> None:
        if made is not _NOT_MADE:
            raise TypeError("a Target is made by parse_target")
        self.path = path
        self.query = query
        self.segments = tuple(path[len(API_PREFIX) :].split("/"))
        self.credentials = requested_credentials(query)

    def __str__(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


def parse_target(raw_path: bytes, raw_query: bytes = b"") -> Target:
    """Check a path and a query as they stood in the request, still encoded.

    Raises:
        CallRefused: a part of it is not a plain call of `/v2/`.
    """
    path, query = raw_path.decode("latin-1"), raw_query.decode("latin-1")
    if len(path) > MAX_PATH or len(query) > MAX_QUERY:
        raise CallRefused(
            "the path or the query is too long",
            remedy=f"A path has at most {MAX_PATH} characters, a query {MAX_QUERY}.",
        )
    if not path.startswith(API_PREFIX):
        raise CallRefused(
            f"only paths under {API_PREFIX} are called",
            remedy=f"Write Zoom's path behind /zoom, as in …/zoom{API_PREFIX}users/me.",
        )
    before = ""
    for segment in path[len(API_PREFIX) :].split("/"):
        if not _is_plain(segment) and not (before in _NAMED_BY_UUID and _is_uuid(segment)):
            raise CallRefused(
                "a segment of the path is empty, made of dots, or holds a character or an "
                "encoding that no id of Zoom's needs",
                remedy="A segment is letters, digits and ._~@+=:,- with @ + , : = perhaps encoded; "
                "no dot segments, no encoded separators. Name a meeting by its number, or encode "
                "its UUID twice.",
            )
        before = segment
    if not _QUERY.fullmatch(query) or _CONTROL.search(unquote_to_bytes(query)):
        raise CallRefused(
            "the query is not plainly encoded",
            remedy="Percent-encode the query once; it may hold no control characters.",
        )
    if carried_credentials(query):
        raise CallRefused(
            "a query may hold no credential",
            remedy="Leave access_token, zak and other tokens out: the access token is added here.",
        )
    return Target(path, query, _NOT_MADE)


def _is_plain(segment: str) -> bool:
    return bool(_SEGMENT.fullmatch(segment)) and not _DOTS.fullmatch(segment)


def _is_uuid(segment: str) -> bool:
    if not _TWICE_ENCODED.fullmatch(segment):
        return False
    return bool(_UUID.fullmatch(unquote_to_bytes(unquote_to_bytes(segment))))


@dataclass(frozen=True, slots=True)
class _Rule:
    methods: frozenset[str]
    segments: tuple[str, ...]
    credentials: frozenset[Field]

    def covers(self, method: str, segments: tuple[str, ...], credentials: frozenset[Field]) -> bool:
        if self.methods and method not in self.methods:
            return False
        wanted = self.segments
        if wanted[-1] == "**":
            head = len(wanted) - 1
            fits = len(segments) > head and self._match(wanted[:-1], segments[:head])
        else:
            fits = len(segments) == len(wanted) and self._match(wanted, segments)
        # A wildcard never covers a call that returns a credential; only a rule with its name does.
        named = all(one in wanted for one in segments if names_credential(one))
        return fits and named and credentials <= self.credentials

    @staticmethod
    def _match(wanted: tuple[str, ...], segments: tuple[str, ...]) -> bool:
        return all(one in {"*", segment} for one, segment in zip(wanted, segments, strict=True))


class PermittedCall:
    """A method and a target that the allow-list covers; made by `AllowList.permit`."""

    __slots__ = ("method", "target")

    def __init__(self, method: str, target: Target, made: Any = None) -> None:
        if made is not _NOT_MADE:
            raise TypeError("a PermittedCall is made by AllowList.permit")
        self.method = method
        self.target = target


class AllowList:
    """The calls that may be made, from rules like "GET /v2/**" and "POST,PATCH /v2/meetings/*".

    `*` matches one segment, a final `**` one or more, and `*` as method every method.
    A call that returns a credential is covered only by a rule that names it. The rule names a
    segment like `zak`, or a field:
    "GET /v2/meetings/*/recordings?include_fields=download_access_token".

    Raises:
        ConfigurationError: some rules are malformed; it names all of them.
    """

    def __init__(self, rules: Iterable[str]) -> None:
        self._rules: list[_Rule] = []
        problems = []
        for text in rules:
            match = _RULE.fullmatch(text)
            methods = frozenset() if match is None or match[1] == "*" else match[1].split(",")
            if match is None or not set(methods) <= set(METHODS):
                problems.append(
                    f"proxy_allow: {text!r} is not a rule; write METHOD,METHOD /v2/path, * or **"
                )
            else:
                segments = tuple(match[2][len(API_PREFIX) :].split("/"))
                named = requested_credentials(match[3] or "")
                self._rules.append(_Rule(frozenset(methods), segments, named))
        if problems:
            raise ConfigurationError(problems)

    def permit(self, method: str, target: Target) -> PermittedCall:
        """Return the call if a rule covers it.

        Raises:
            CallRefused: no rule covers it.
        """
        # An encoded spelling is the same segment to Zoom, so rules treat it alike.
        segments = tuple(unquote_to_bytes(one).decode("ascii") for one in target.segments)
        credentials = target.credentials
        if method in METHODS and any(
            rule.covers(method, segments, credentials) for rule in self._rules
        ):
            return PermittedCall(method, target, _NOT_MADE)
        raise CallRefused(
            "the allow-list does not cover this call",
            remedy="Add a rule for it to proxy_allow, if the host is meant to make it.",
        )
