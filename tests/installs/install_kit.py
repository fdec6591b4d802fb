"""An install flow in front of a scripted Zoom, to be spoiled one part at a time."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from paraph.installs import InstallFlow, InstallResult, Redirect

NOW = 1_800_000_000
CLIENT_ID = "MbK0lSJlRLmjSpCCOlFoXQ"
CLIENT_SECRET = "k3Jf8sLq2Wx9Zr5Tb7Yh"
REDIRECT_URI = "https://app.example/zoom/callback"
SEALING_KEY = "6c7f1f0a:0NQkJ3hS2zYb1xqVY2k0cZ4rW1m9pXo7TgHfUe5aLsI"
OLDER_KEY = "aa11bb22:9hT2wLq8ZxYv7Nf3RkMbCsPdUgJeWi0oAa1S5D6F4tE"
JANE = {"id": "jane", "account_id": "acme", "email": "jane@acme.example", "display_name": "Jane"}
TOKENS = {
    "access_token": "access-of-jane",
    "token_type": "bearer",
    "refresh_token": "refresh-of-jane",
    "expires_in": 3600,
    "scope": "user:read:user meeting:read:meeting",
    "api_url": "https://api-us.zoom.us",
}


@dataclass
class Script:
    """Zoom's side: `answers` are sent in order by path, then the ordinary ones."""

    answers: dict[str, list[httpx.Response | Exception]] = field(default_factory=dict)
    seen: list[httpx.Request] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Note the request, and answer it."""
        self.seen.append(request)
        waiting = self.answers.get(request.url.path)
        found = waiting.pop(0) if waiting else None
        if isinstance(found, Exception):
            raise found
        if found is None:
            found = httpx.Response(200, json=TOKENS if request.method == "POST" else JANE)
        # As a response from a socket: its raw bytes can be read.
        content, headers = found.content, found.headers
        return httpx.Response(found.status_code, headers=headers, stream=_Stream(content))

    def will(self, path: str, *answers: httpx.Response | Exception) -> None:
        """Answer the next requests of a path in this way."""
        self.answers[path] = list(answers)

    def forms(self) -> list[dict[str, str]]:
        """The bodies of the requests to the token endpoint."""
        return [
            {name: value[0] for name, value in parse_qs(one.content.decode()).items()}
            for one in self.seen
            if one.method == "POST"
        ]


class _Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Any:
        yield self._content

    async def __aiter__(self) -> Any:
        yield self._content


@dataclass
class UsedStates:
    """A one-use store in memory."""

    hashes: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def use(self, state_hash: str, expires_at: int) -> bool:
        """Use up a state."""
        with self.lock:
            if state_hash in self.hashes:
                return False
            self.hashes[state_hash] = expires_at
            return True


class Kit:
    """A flow, its store, its Zoom and a movable clock."""

    def __init__(self, **changes: Any) -> None:
        self.now = NOW
        self.zoom = Script()
        self.used = UsedStates()
        arguments = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uri": REDIRECT_URI,
            "sealing_key": SEALING_KEY,
            "required_scopes": ["user:read:user"],
            "use_state": self.used.use,
            "start_url": "/zoom/connect",
            "clock": lambda: self.now,
            "transport": httpx.MockTransport(self.zoom.answer),
        }
        self.flow = InstallFlow(**{**arguments, **changes})

    def start(self, subject: str = "acct_42", **more: Any) -> Started:
        """Start an install."""
        return Started(self.flow.start(subject, **more))

    def finish(self, query: str, cookies: Any, **more: Any) -> InstallResult:
        """Finish an install, synchronously."""
        return self.flow.finish(f"{REDIRECT_URI}?{query}", cookies, **more)

    def afinish(self, query: str, cookies: Any, **more: Any) -> InstallResult:
        """Finish an install in an event loop of its own."""
        return asyncio.run(self.flow.afinish(f"{REDIRECT_URI}?{query}", cookies, **more))


Finish = Callable[..., InstallResult]


class Started:
    """A started install, as its browser sees it."""

    def __init__(self, redirect: Redirect) -> None:
        self.redirect = redirect
        self.parameters = {
            name: value[0] for name, value in parse_qs(urlsplit(redirect.location).query).items()
        }
        self.state = self.parameters["state"]
        self.cookie = redirect.set_cookie.partition(";")[0]
        self.name, _, self.value = self.cookie.partition("=")
        self.query = f"code=the-code&state={self.state}"


def refusal(status: int, **content: Any) -> httpx.Response:
    """An error response of Zoom's token endpoint."""
    body = json.dumps(content).encode()
    return httpx.Response(status, content=body, headers={"content-type": "application/json"})
