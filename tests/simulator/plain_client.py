"""A client that knows nothing of paraph: form posts and redirects, as any language sends them."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from paraph.simulator.pytest_plugin import SimulatedZoom

VERIFIER = "a-verifier-of-forty-three-characters-or-more-1"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().strip("=")
S256 = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
JANE, RAVI = "KDcuGIm1QgePTO8WbOqwIQ", "z8yCxTTTTSiw02QgCAp8uQ"


class PlainClient:
    """The first app of a simulated world, speaking for itself."""

    def __init__(self, zoom: SimulatedZoom) -> None:
        self.zoom = zoom
        self.http = httpx.Client(base_url=zoom.url, trust_env=False, timeout=10)
        self.redirect_uri = zoom.app.redirect_uris[1]

    def close(self) -> None:
        """Let go of connections."""
        self.http.close()

    def authorize(self, **parameters: str) -> httpx.Response:
        """An authorization request with what is usual, and what is given."""
        usual = {
            "response_type": "code",
            "client_id": self.zoom.app.client_id,
            "redirect_uri": self.redirect_uri,
            "state": "st4te",
        }
        query = {name: value for name, value in {**usual, **parameters}.items() if value}
        return self.http.get("/oauth/authorize", params=query)

    def code(self, **parameters: str) -> str:
        """A code, where consent is automatic."""
        return response_of(self.authorize(**parameters))["code"]

    def token(self, *, auth: tuple[str, str] | None = None, **form: str) -> httpx.Response:
        """A call of the token endpoint with Basic credentials."""
        app = self.zoom.app
        return self.http.post(
            "/oauth/token", data=form, auth=auth or (app.client_id, app.client_secret)
        )

    def exchange(self, code: str, **more: str) -> httpx.Response:
        """A code against tokens."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri}
        form |= more
        return self.token(auth=None, **form)

    def refresh(self, refresh_token: str) -> httpx.Response:
        """A refresh."""
        return self.token(grant_type="refresh_token", refresh_token=refresh_token)

    def install(self) -> dict[str, Any]:
        """Consent and exchange: a token set."""
        received = self.exchange(self.code())
        assert 200 == received.status_code, received.text
        content: dict[str, Any] = received.json()
        return content

    def revoke(self, token: str) -> httpx.Response:
        """A revocation."""
        app = self.zoom.app
        return self.http.post(
            "/oauth/revoke", data={"token": token}, auth=(app.client_id, app.client_secret)
        )

    def api(self, path: str, access_token: str, method: str = "GET", **more: Any) -> httpx.Response:
        """A call of the REST API."""
        headers = {"authorization": f"Bearer {access_token}"}
        return self.http.request(method, path, headers=headers, **more)


def response_of(response: httpx.Response) -> dict[str, str]:
    """The parameters of an authorization response."""
    assert 302 == response.status_code, response.text
    return dict(parse_qsl(urlsplit(response.headers["location"]).query, keep_blank_values=True))
