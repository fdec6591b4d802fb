"""Every call of the API as a value: its request, and the parser of its response.

The two clients only send these, so each call is defined once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from paraph.calls.arguments import Filters, ZoomCall, id_segment
from paraph.client import types
from paraph.client.request_path import http_method, zoom_path
from paraph.values import AccessToken, Claim, Installation, LinkRequest, Page, Receipt

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


def request_link(subject: str, challenge: str, return_to: str) -> Call[LinkRequest]:
    """`POST /v1/link-requests`."""
    body = {"subject": subject, "challenge": challenge, "return_to": return_to}
    return Call("POST", "/v1/link-requests", types.parser(LinkRequest), json=body, keyed=True)


def claim_handoff(handoff: str, verifier: str) -> Call[Claim]:
    """`POST /v1/handoffs/claim`."""
    body = {"handoff": handoff, "verifier": verifier}
    return Call("POST", "/v1/handoffs/claim", types.parser(Claim), json=body, keyed=True)


def confirm_claim(claim: str, subject: str, *, move: bool) -> Call[Installation]:
    """`POST /v1/claims/{claim}/confirm`."""
    path = f"/v1/claims/{id_segment(claim)}/confirm"
    body = {"subject": subject, "move": move}
    return Call("POST", path, types.installation_of, json=body, keyed=True)


def decline_claim(claim: str) -> Call[None]:
    """`POST /v1/claims/{claim}/decline`."""
    return Call("POST", f"/v1/claims/{id_segment(claim)}/decline", _nothing, keyed=True)


def list_installations(filters: Filters, after: str, limit: int) -> Call[Page[Installation]]:
    """`GET /v1/installations`."""
    wanted = asdict(filters)
    query: dict[str, str | int] = {k: v for k, v in wanted.items() if v is not None}
    return Call(
        "GET",
        "/v1/installations",
        types.installations_of,
        query={**query, "after": after, "limit": limit},
    )


def get_installation(installation_id: str) -> Call[Installation]:
    """`GET /v1/installations/{id}`."""
    return Call("GET", _installation(installation_id), types.installation_of)


def remove_installation(installation_id: str) -> Call[Receipt]:
    """`DELETE /v1/installations/{id}`."""
    return Call("DELETE", _installation(installation_id), types.parser(Receipt))


def vend(installation_id: str, subject: str) -> Call[AccessToken]:
    """`POST /v1/installations/{id}/access-token`; repeating it has no further effect."""
    path = f"{_installation(installation_id)}/access-token"
    return Call("POST", path, types.parser(AccessToken), json={"subject": subject}, harmless=True)


def list_audit(after: str, limit: int) -> Call[Page[types.AuditEntry]]:
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


def zoom_request(
    installation_id: str, subject: str | None, call: ZoomCall
) -> tuple[str, str, dict[str, Any]]:
    """Build the method, the path and the further arguments of a request to the proxy.

    Args:
        installation_id: the installation whose access token is used.
        subject: the subject that the installation must have; None for any.
        call: the call of Zoom's API; its headers were checked.

    Raises:
        CallRefused: the method or the path would not arrive unchanged.
    """
    path = f"{_installation(installation_id)}/zoom{zoom_path(call.path)}"
    bound = {} if subject is None else {"paraph-subject": quote(subject, safe="")}
    more = {
        "params": dict(call.query) or None,
        "json": call.json,
        "content": call.content,
        "headers": {**call.headers, **bound},
    }
    return http_method(call.method), path, more


def _nothing(_content: Any) -> None:
    return None


def _installation(installation_id: str) -> str:
    return f"/v1/installations/{id_segment(installation_id)}"
