"""The twin's sessions: the account that is signed in, for each browser."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from paraph.checks.twin.settings import Settings
from paraph.checks.twin.web import Request, Response

COOKIE = "__Host-twin"


@dataclass(slots=True)
class Session:
    """The session of one browser."""

    id: str
    subject: str
    csrf: str
    notes: dict[str, Any] = field(default_factory=dict)


class Sessions:
    """All sessions, in memory only: a restart signs all browsers out."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, Session] = {}

    @property
    def cookie_name(self) -> str:
        """The cookie's name; a neighbouring host cannot plant the reference's."""
        return "twin" if self._settings.is_weak("ck-fixation") else COOKIE

    def of(self, request: Request) -> Session | None:
        """Return the session of a request."""
        return self._known.get(request.cookie(self.cookie_name))

    def begin(self, request: Request, response: Response, subject: str) -> Session:
        """Begin a session with a new id, whatever cookie the browser sent."""
        given = request.cookie(self.cookie_name)
        if not self._settings.is_weak("ck-logout"):
            self._known.pop(given, None)
        name = given if given and self._settings.is_weak("ck-fixation") else os.urandom(24).hex()
        session = Session(name, subject, os.urandom(16).hex())
        self._known[name] = session
        attributes = "; Secure; HttpOnly; SameSite=Lax"
        if self._settings.is_weak("ck-attributes"):
            attributes = "; Secure"
        response.set_cookie(self.cookie_name, name, age=86400, attributes=attributes)
        return session

    def end(self, request: Request, response: Response) -> None:
        """End the session on the server and in the browser."""
        if not self._settings.is_weak("ck-logout"):
            self._known.pop(request.cookie(self.cookie_name), None)
        response.set_cookie(self.cookie_name, "", age=0)

    def end_of(self, subject: str) -> None:
        """End every session of an account."""
        self._known = {n: one for n, one in self._known.items() if one.subject != subject}

    def forgery(self, request: Request, session: Session, *switches: str) -> bool:
        """Return True if a POST does not come from a page of this session."""
        if self._settings.is_weak(*switches):
            return False
        return request.is_cross_site or request.form.get("csrf") != session.csrf
