"""The sessions of the host product: the browser has an opaque cookie, the server has the data."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "__Host-tidemark"
_MAX_SESSIONS = 1000
_MAX_LINKS = 5


@dataclass(frozen=True, slots=True)
class Person:
    """An invented user of the host product."""

    subject: str
    name: str
    tenant: str


PEOPLE = (
    Person("harbour:ada", "Ada Lund", "Harbour Pilots"),
    Person("harbour:ben", "Ben Okafor", "Harbour Pilots"),
    Person("estuary:chi", "Chi Nguyen", "Estuary Surveys"),
    Person("estuary:dov", "Dov Almeida", "Estuary Surveys"),
)


@dataclass(slots=True)
class Session:
    """The session of one browser.

    Attributes:
        nonces: the nonce of each link request, by an identifier that returns with the handoff.
            Each tab has its own.
    """

    person: Person
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    nonces: dict[str, str] = field(default_factory=dict)
    claim: dict[str, object] | None = None
    # The confirmation form contains this id, so that users confirm the claim that they saw.
    shown: str = ""
    notice: str = ""

    def begin_link(self) -> tuple[str, str]:
        """Make an identifier and a nonce for a link request; the newest five are kept."""
        link, nonce = secrets.token_urlsafe(9), secrets.token_urlsafe(32)
        self.nonces[link] = nonce
        while len(self.nonces) > _MAX_LINKS:
            self.nonces.pop(next(iter(self.nonces)))
        return link, nonce


class Sessions:
    """All sessions, in memory only."""

    def __init__(self) -> None:
        self._by_id: dict[str, Session] = {}

    def of(self, request: Request) -> Session | None:
        """Return the session of a request."""
        return self._by_id.get(request.cookies.get(COOKIE, ""))

    def begin(self, response: Response, person: Person) -> None:
        """Begin a new session and set its cookie; signing in never continues an older session."""
        session_id = secrets.token_urlsafe(32)
        self._by_id[session_id] = Session(person)
        while len(self._by_id) > _MAX_SESSIONS:
            self._by_id.pop(next(iter(self._by_id)))
        response.set_cookie(
            COOKIE, session_id, secure=True, httponly=True, samesite="lax", path="/"
        )

    def end(self, request: Request, response: Response) -> None:
        """End the session on the server and in the browser."""
        self._by_id.pop(request.cookies.get(COOKIE, ""), None)
        response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax", path="/")


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a posted form; of a repeated field the last value counts."""
    return dict(parse_qsl((await request.body())[:8192].decode("utf-8", "replace")))


def is_from_session(session: Session, fields: dict[str, str]) -> bool:
    """Return true if a form has the CSRF token of this session."""
    return hmac.compare_digest(session.csrf.encode(), fields.get("csrf", "").encode())
