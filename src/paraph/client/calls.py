"""Every call of the API as a value: its request, and the parser of its response.

The two clients only send these, so each call is defined once.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from paraph.client import types
from paraph.client.request_path import caller_headers, id_segment, zoom_path

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One call of the API.

    Attributes:
        read: parses the content of a successful response.
        keyed: it has an idempotency key, so repeating it has no further effect.
        harmless: repeating it has no further effect without a key.
    """

    method: str
    path: str
    read: Callable[[Any], Result]
    query: Mapping[str, str | int] = field(default_factory=dict)
    json: Any = None
    keyed: bool = False
    harmless: bool = False

    @property
    def repeatable(self) -> bool:
        """True if the call may be repeated when no response came."""
        return self.method == "GET" or self.keyed or self.harmless


def challenge_of(nonce: str) -> str:
    """Compute the S256 challenge of a nonce (RFC 7636 section 4.2).

    The nonce stays in the user's session; only its challenge is sent.
    """
    digest = hashlib.sha256(nonce.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def request_link(subject: str, nonce: str, return_to: str) -> Call[types.LinkRequest]:
    """`POST /v1/link-requests`."""
    body = {"subject": subject, "challenge": challenge_of(nonce), "return_to": return_to}
    return Call("POST", "/v1/link-requests", types.parser(types.LinkRequest), json=body, keyed=True)


def claim_handoff(handoff: str, verifier: str) -> Call[types.Claim]:
    """`POST /v1/handoffs/claim`."""
    body = {"handoff": handoff, "verifier": verifier}
    return Call("POST", "/v1/handoffs/claim", types.parser(types.Claim), json=body, keyed=True)


def confirm_claim(claim: str, subject: str, *, move: bool) -> Call[types.Installation]:
    """`POST /v1/claims/{claim}/confirm`."""
    path = f"/v1/claims/{id_segment(claim)}/confirm"
    body = {"subject": subject, "move": move}
    return Call("POST", path, types.installation_of, json=body, keyed=True)


def decline_claim(claim: str) -> Call[None]:
    """`POST /v1/claims/{claim}/decline`."""
    return Call("POST", f"/v1/claims/{id_segment(claim)}/decline", _nothing, keyed=True)


def list_installations(
    subject: str | None, account_id: str | None, user_id: str | None, after: str, limit: int
) -> Call[types.Page[types.Installation]]:
    """`GET /v1/installations`."""
    wanted = {"subject": subject, "account_id": account_id, "user_id": user_id}
    query: dict[str, str | int] = {k: v for k, v in wanted.items() if v is not None}
    return Call(
        "GET",
        "/v1/installations",
        types.installations_of,
        query={**query, "after": after, "limit": limit},
    )


def get_installation(installation_id: str) -> Call[types.Installation]:
    """`GET /v1/installations/{id}`."""
    return Call("GET", _installation(installation_id), types.installation_of)


def remove_installation(installation_id: str) -> Call[types.Receipt]:
    """`DELETE /v1/installations/{id}`."""
    return Call("DELETE", _installation(installation_id), types.parser(types.Receipt))


def vend(installation_id: str, subject: str) -> Call[types.AccessToken]:
    """`POST /v1/installations/{id}/access-token`; repeating it has no further effect."""
    path = f"{_installation(installation_id)}/access-token"
    return Call(
        "POST", path, types.parser(types.AccessToken), json={"subject": subject}, harmless=True
    )


def list_audit(after: str, limit: int) -> Call[types.Page[types.AuditEntry]]:
    """`GET /v1/audit`."""
    return Call(
        "GET", "/v1/audit", types.audit_page_of, query={"after": after or "0", "limit": limit}
    )


def verify_audit(heads: Mapping[int, str]) -> Call[types.Verdict]:
    """`POST /v1/audit/verify`."""
    body = {"heads": {str(number): digest for number, digest in heads.items()}}
    return Call("POST", "/v1/audit/verify", types.parser(types.Verdict), json=body, keyed=True)


def openapi() -> Call[dict[str, Any]]:
    """`GET /v1/openapi.json`."""
    return Call("GET", "/v1/openapi.json", dict)


def zoom_url(installation_id: str, path: str) -> str:
    """Build the proxy's path for a path of Zoom's API, like "/v2/users/me" or "/users/me".

    Raises:
        Refused: the path has a segment that would not arrive unchanged.
    """
    return f"{_installation(installation_id)}/zoom{zoom_path(path)}"


def zoom_headers(headers: Mapping[str, str] | None, subject: str | None) -> dict[str, str]:
    """Build the headers of a proxy call: the caller's, and the one that names the subject.

    Raises:
        Refused: the caller sets a header that only the client may set.
    """
    bound = {} if subject is None else {"paraph-subject": quote(subject, safe="")}
    return {**caller_headers(headers or {}), **bound}


def _nothing(_content: Any) -> None:
    return None


def _installation(installation_id: str) -> str:
    return f"/v1/installations/{id_segment(installation_id)}"
