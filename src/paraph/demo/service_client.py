"""The host's client of the management API (`/v1`)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any

import httpx


class ServiceRefused(Exception):
    """The management API refused a call.

    Args:
        status: the HTTP status.
        problem: the problem document.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.title = str(problem.get("title", "The service refused the call."))
        self.remedy = str(problem.get("remedy", ""))
        super().__init__(self.title)


class ServiceClient:
    """The calls of the management API that the demo needs."""

    def __init__(self, private_url: str, api_key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=private_url,
            headers={"authorization": f"Bearer {api_key}"},
            timeout=10,
            trust_env=False,
        )

    async def request_link(self, subject: str, nonce: str, *, return_to: str = "") -> str:
        """Create a link request; return the install URL.

        Args:
            subject: the signed-in user.
            nonce: a random text that the user's session keeps.
            return_to: an identifier that returns with the handoff.

        Raises:
            ServiceRefused: the management API refused the call or does not respond; so for all
                methods.
        """
        digest = hashlib.sha256(nonce.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        created = await self._call(
            "POST",
            "/v1/link-requests",
            {"subject": subject, "challenge": challenge, "return_to": return_to},
        )
        return str(created["install_url"])

    async def claim(self, handoff: str, nonce: str) -> dict[str, Any]:
        """Claim a handoff; return the claim with both accounts.

        Args:
            handoff: the one-use code of the redirect.
            nonce: the nonce of the link request.
        """
        return await self._call(
            "POST", "/v1/handoffs/claim", {"handoff": handoff, "verifier": nonce}
        )

    async def confirm(self, claim: str, subject: str, *, move: bool) -> dict[str, Any]:
        """Confirm a claim.

        Args:
            claim: the claim.
            subject: the signed-in user.
            move: whether an existing link may be replaced.
        """
        return await self._call(
            "POST", f"/v1/claims/{claim}/confirm", {"subject": subject, "move": move}
        )

    async def decline(self, claim: str) -> None:
        """Decline a claim."""
        await self._call("POST", f"/v1/claims/{claim}/decline", {})

    async def installations(self, subject_prefix: str = "") -> list[dict[str, Any]]:
        """Return the installations whose subject has a prefix; "" for all."""
        page = await self._call("GET", "/v1/installations?limit=200", None)
        found: list[dict[str, Any]] = page["installations"]
        return [one for one in found if one["subject"].startswith(subject_prefix)]

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _call(self, method: str, path: str, body: Any) -> dict[str, Any]:
        try:
            response = await self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            title = {"title": f"The service does not respond ({type(error).__name__})."}
            raise ServiceRefused(503, title) from None
        content: dict[str, Any] = response.json() if response.content else {}
        if not response.is_success:
            raise ServiceRefused(response.status_code, content)
        return content


def new_nonce() -> str:
    """Make a nonce for a session: 43 unreserved characters."""
    return secrets.token_urlsafe(32)
