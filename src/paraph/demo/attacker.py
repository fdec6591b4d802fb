"""The attacker: a client with a network connection and its own Zoom accounts.

All requests are really sent to the public side of the service. The requests that reached Zoom are
read from the simulator's journal.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

_MASKED = re.compile(r"((?:code|state|request|handoff|code_challenge)=)[^&\s\"]+")
_TRANSACTION = re.compile(r'name="transaction" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response, with masked secrets."""

    sent: str
    status: int
    said: str


@dataclass(slots=True)
class Attempt:
    """A running attack: its exchanges so far, and other observations.

    Attributes:
        leaks: observations that should not have been possible.
        held: observations that were as expected.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)


class Attacker:
    """Sends requests to the public side of the service, and uses its own Zoom accounts.

    Args:
        service_url: the service's public origin.
        zoom_url: the URL of the simulated Zoom.
    """

    def __init__(self, service_url: str, zoom_url: str) -> None:
        self.service_url = service_url
        self.zoom_url = zoom_url
        self.attempt = Attempt()
        self._http = httpx.AsyncClient(timeout=10, trust_env=False, follow_redirects=False)

    async def send(
        self,
        method: str,
        target: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        note: str = "",
    ) -> httpx.Response:
        """Send one request to the service, and record it with its response.

        Args:
            method: the HTTP method.
            target: a URL, or a path of the service.
            headers: all headers; cookies are given here.
            body: the body.
            note: a remark for the record.
        """
        url = target if target.startswith("http") else f"{self.service_url}{target}"
        # Each request has a new cookie jar: cookies that the attacker keeps are passed explicitly.
        self._http.cookies.clear()
        response = await self._http.request(method, url, headers=headers or {}, content=body)
        sent = f"{method} {mask(_path_of(url))}{f' ({note})' if note else ''}"
        self.attempt.exchanges.append(Exchange(sent, response.status_code, _summary(response)))
        return response

    async def consent(self, authorization_url: str, user_id: str) -> str:
        """Consent at Zoom as a user; return the URL that Zoom redirects to.

        Args:
            authorization_url: the URL of the authorization request, or its path at Zoom.
            user_id: the Zoom user.
        """
        url = authorization_url
        if url.startswith("/"):
            url = f"{self.zoom_url}{url}"
        async with httpx.AsyncClient(timeout=10, trust_env=False) as browser:
            page = await browser.get(url)
            found = _TRANSACTION.search(page.text)
            if found is None:
                return str(page.headers.get("location", ""))
            response = await browser.post(
                f"{self.zoom_url}/oauth/authorize",
                data={"transaction": found[1], "user_id": user_id, "decision": "allow"},
            )
            return str(response.headers.get("location", ""))

    async def control_zoom(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Call the simulator's control API; return the JSON of the response.

        Raises:
            httpx.HTTPError: the call failed.
        """
        response = await self._http.request(method, f"{self.zoom_url}/_simulator{path}", json=body)
        response.raise_for_status()
        content: dict[str, Any] = response.json()
        return content

    async def newest_entry(self) -> int:
        """Return the number of the newest entry of the journal."""
        entries = (await self.control_zoom("GET", "/journal"))["entries"]
        return int(entries[-1]["number"]) if entries else 0

    async def reached_zoom(self, since: int) -> list[str]:
        """Return the paths of the token and API requests that Zoom received since an entry."""
        entries = (await self.control_zoom("GET", f"/journal?since={since}"))["entries"]
        return [
            f"{one['method']} {one['path']}"
            for one in entries
            if one["path"].startswith(("/oauth/token", "/oauth/revoke", "/v2/"))
        ]

    async def until_delivered(self, delivery_id: str, attempts: int) -> list[int]:
        """Wait up to four seconds until a delivery has had this many attempts.

        Returns:
            The status of each attempt; an empty list after the timeout.
        """
        for _ in range(40):
            deliveries = (await self.control_zoom("GET", "/deliveries"))["deliveries"]
            found = [one for one in deliveries if one["id"] == delivery_id]
            if found and len(found[0]["attempts"]) >= attempts:
                return [int(one["status"]) for one in found[0]["attempts"]]
            await asyncio.sleep(0.1)
        return []

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()


def parameter_of(url: str, name: str) -> str:
    """Return a query parameter of a URL."""
    return parse_qs(urlsplit(url).query).get(name, [""])[0]


def mask(text: str) -> str:
    """Mask codes and states in a text."""
    return _MASKED.sub(r"\1***", text)


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _summary(response: httpx.Response) -> str:
    location = response.headers.get("location")
    if location:
        place, _, query = location.partition("?")
        return f"to {place}{'?…' if query else ''}"
    title = re.search(r"<h1>(.*?)</h1>", response.text)
    return title[1] if title else mask(response.text[:120])
