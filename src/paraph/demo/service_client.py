"""What any host does with the service: `/v1` with an API key."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any

import httpx


class ServiceRefused(Exception):
    """The management API said no.

    Args:
        status: the HTTP status.
        problem: its problem document.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.title = str(problem.get("title", "The service refused."))
        self.remedy = str(problem.get("remedy", ""))
        super().__init__(self.title)


class ServiceClient:
    """The management API, as far as the demo needs it."""

    def __init__(self, private_url: str, api_key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=private_url,
            headers={"authorization": f"Bearer {api_key}"},
            timeout=10,
            trust_env=False,
        )

    async def request_link(self, subject: str, nonce: str, *, return_to: str = "") -> str:
        """The install URL for a signed-in user whose session keeps the nonce."""
        digest = hashlib.sha256(nonce.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        answer = await self._call(
            "POST",
            "/v1/link-requests",
            {"subject": subject, "challenge": challenge, "return_to": return_to},
        )
        return str(answer["install_url"])

    async def claim(self, handoff: str, nonce: str) -> dict[str, Any]:
        """Both accounts, for a handoff that this session began."""
        return await self._call(
            "POST", "/v1/handoffs/claim", {"handoff": handoff, "verifier": nonce}
        )

    async def confirm(self, claim: str, subject: str, *, move: bool) -> dict[str, Any]:
        """The person said yes."""
        return await self._call(
            "POST", f"/v1/claims/{claim}/confirm", {"subject": subject, "move": move}
        )

    async def decline(self, claim: str) -> None:
        """The person said no."""
        await self._call("POST", f"/v1/claims/{claim}/decline", {})

    async def installations(self, subject_prefix: str = "") -> list[dict[str, Any]]:
        """What is installed, for one tenant or for all."""
        answer = await self._call("GET", "/v1/installations?limit=200", None)
        found: list[dict[str, Any]] = answer["installations"]
        return [one for one in found if one["subject"].startswith(subject_prefix)]

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.aclose()

    async def _call(self, method: str, path: str, body: Any) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            title = {"title": f"The service does not answer ({type(error).__name__})."}
            raise ServiceRefused(503, title) from None
        content: dict[str, Any] = answer.json() if answer.content else {}
        if not answer.is_success:
            raise ServiceRefused(answer.status_code, content)
        return content


def new_nonce() -> str:
    """A nonce for a session: 43 unreserved characters."""
    return secrets.token_urlsafe(32)
