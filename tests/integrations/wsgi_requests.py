"""Requests to a WSGI application in this process, as a conforming server makes them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator


@dataclass(frozen=True)
class Answer:
    """The response of an application."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The only header of a name; "" without one."""
        found = [value for one, value in self.headers if one.lower() == name]
        assert len(found) < 2
        return found[0] if found else ""


def ask(
    app: Any,
    path: str,
    *,
    method: str = "GET",
    query: str = "",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    environ: Mapping[str, Any] | None = None,
) -> Answer:
    """Make one request; the standard library checks that both sides keep to PEP 3333.

    Args:
        app: the WSGI application.
        path: the decoded path.
        method: the method.
        query: the query, as written.
        body: the body; its length is announced.
        headers: headers by name; a repeated one is joined by a comma, as servers do.
        environ: further members of the environment.
    """
    made: dict[str, Any] = {}
    setup_testing_defaults(made)
    made |= {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    made |= {"REMOTE_ADDR": "127.0.0.1", "SCRIPT_NAME": ""}
    if body is not None:
        made |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    for name, value in (headers or {}).items():
        made["HTTP_" + name.upper().replace("-", "_")] = value
    begun: list[Any] = []

    def start_response(status: str, sent: list[tuple[str, str]], _error: Any = None) -> Any:
        begun[:] = [int(status.partition(" ")[0]), sent]
        return lambda _piece: None

    # It refuses hostile lengths itself, and wants a content type for an empty body as well.
    changed = {**made, **(environ or {})}
    checked = app if "CONTENT_LENGTH" in (environ or {}) else validator(app)
    with patch("wsgiref.validate.check_content_type"):
        response = checked(changed, start_response)
        whole = b"".join(response)
        getattr(response, "close", lambda: None)()
    return Answer(begun[0], begun[1], whole)
