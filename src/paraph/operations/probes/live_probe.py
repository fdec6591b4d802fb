"""Asks Zoom three questions that its documentation leaves open, with development credentials.

- `second-redirect`: is a redirect URI accepted in strict mode that is not the primary one?
- `other-redirect`: is a code of one redirect URI refused at another one?
- `needless-verifier`: is a verifier refused for a code that was issued without a challenge?

A refusal counts only if the same exchange without the spoiled part succeeds: wrong credentials
would be refused as well. No code and no token is shown or kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlencode, urlsplit

from paraph.errors import TransportError
from paraph.oauth.messages import Request, Response
from paraph.oauth.roles import Client
from paraph.oauth.token_endpoint import build_client_request
from paraph.operations.probes.facts import LiveAnswer
from paraph.remote.plain_request import send_plain
from paraph.settings.model import Settings
from paraph.zoom.server_metadata import zoom_authorization_server

_REFUSED = re.compile(r"4,?700|invalid redirect", re.IGNORECASE)
_ERROR = re.compile(r"[a-z_]{1,40}")
_QUESTIONS = ("second-redirect", "other-redirect", "needless-verifier")
Paste = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Exchange:
    """The response to a token request: its status, its error code, and a token to revoke."""

    status: int
    error: str
    access_token: str

    @property
    def refused(self) -> bool | None:
        """True if the grant was refused, false if it was accepted, None for another failure."""
        if self.access_token:
            return False
        return True if self.error in {"invalid_grant", "invalid_request"} else None


async def live_answers(
    settings: Settings, *, token: Callable[[], str], paste: Paste | None
) -> tuple[LiveAnswer, ...]:
    """Ask the three questions.

    Args:
        settings: checked settings with development credentials.
        token: returns a new random text of 43 or more characters.
        paste: shows a URL to open, and returns the address at which the browser ended; None if
            there is no person. A Zoom that consents by itself needs none.
    """
    questions = _Questions(settings, token, paste)
    try:
        return await questions.ask()
    except TransportError as error:
        return tuple(LiveAnswer(one, None, error=error.detail) for one in _QUESTIONS)
    finally:
        await questions.revoke_all()


class _Questions:
    def __init__(self, settings: Settings, token: Callable[[], str], paste: Paste | None) -> None:
        self._settings = settings
        self._token = token
        self._paste = paste
        self._client = Client(settings.client_id, settings.client_secret, settings.redirect_uri)
        self._server = zoom_authorization_server(settings.authorization_server)
        self._tokens: list[str] = []

    async def ask(self) -> tuple[LiveAnswer, ...]:
        primary = f"{self._settings.public_url}/marketplace"
        second = self._settings.redirect_uri
        code, status = await self._authorize(second)
        answers = [LiveAnswer("second-redirect", _refusal(code, status), status)]
        works = second
        if not code:
            works = primary
            code, status = await self._authorize(primary)
        if not code:
            reason = "no code was issued for either redirect URI"
            return (answers[0], *(LiveAnswer(one, None, status, reason) for one in _QUESTIONS[1:]))
        other = primary if works == second else second
        answers.append(_answer("other-redirect", await self._exchange(code, other)))
        code, _ = await self._authorize(works)
        answers.append(
            _answer("needless-verifier", await self._exchange(code, works, verifier=self._token()))
        )
        code, _ = await self._authorize(works)
        control = await self._exchange(code, works)
        if control.refused is False:
            return tuple(answers)
        reason = f"the sound exchange was refused too: {control.error or control.status}"
        return tuple(
            replace(one, refused=None, error=reason)
            if one.refused and one.question != "second-redirect"
            else one
            for one in answers
        )

    async def revoke_all(self) -> None:
        """Revoke every access token that was issued; a failure leaves that one to its hour."""
        for access_token in self._tokens:
            with suppress(TransportError):
                await self._revoke(access_token)

    async def _authorize(self, redirect_uri: str) -> tuple[str, int]:
        """Return a code and the status; no code if it was refused, status 0 if it is unknown."""
        query = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": redirect_uri,
            "state": self._token(),
        }
        url = f"{self._server.authorization_endpoint}?{urlencode(query)}"
        response = await send_plain(Request("GET", url, (), b""), route=self._settings.outgoing)
        location = next((v for name, v in response.headers if name == "location"), "")
        code = _code_in(location, redirect_uri)
        if code or response.status >= 400:
            return code, response.status
        if self._paste is None:
            return "", 0
        pasted = self._paste(url).strip()
        code = _code_in(pasted, redirect_uri)
        return code, 302 if code else 400 if _REFUSED.search(pasted) else 0

    async def _exchange(self, code: str, redirect_uri: str, *, verifier: str = "") -> _Exchange:
        if not code:
            return _Exchange(0, "no code was issued", "")
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if verifier:
            form["code_verifier"] = verifier
        response = await self._send(self._server.token_endpoint, form)
        content = _content(response)
        access_token = str(content.get("access_token") or "")
        if access_token:
            self._tokens.append(access_token)
        error = str(content.get("error") or "")
        return _Exchange(response.status, error if _ERROR.fullmatch(error) else "", access_token)

    async def _revoke(self, access_token: str) -> None:
        await self._send(self._server.revocation_endpoint, {"token": access_token})

    async def _send(self, url: str, form: dict[str, str]) -> Response:
        request = build_client_request(url, self._client, form)
        return await send_plain(request, route=self._settings.outgoing)


def _refusal(code: str, status: int) -> bool | None:
    """Return None for a status that says nothing of the redirect URI: limits, walls, failures."""
    if code:
        return False
    return None if status in {0, 403, 429} or status >= 500 else True


def _answer(question: str, exchange: _Exchange) -> LiveAnswer:
    return LiveAnswer(question, exchange.refused, exchange.status, exchange.error)


def _code_in(location: str, redirect_uri: str) -> str:
    if location.partition("?")[0] != redirect_uri:
        return ""
    return parse_qs(urlsplit(location).query).get("code", [""])[0]


def _content(response: Response) -> dict[str, object]:
    try:
        content = json.loads(response.body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
