"""Clients that nobody here wrote run unmodified against the simulated Zoom.

Each one is installed as it was published, believes that it speaks with zoom.us and api.zoom.us
over TLS, and goes the whole way: authorize, token, users/me, refresh, the older refresh token
refused, revoke. The simulator's own journal and ledger are asked as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interoperability.conftest import JANE, SCOPES, PublishedClients
from interoperability.environments import HERE

pytestmark = pytest.mark.slow

PYTHON = ["with_authlib", "with_requests_oauthlib", "with_httpx_oauth", "with_social_core"]
NODE = [
    "with_openid_client",
    "with_oauth4webapi",
    "with_simple_oauth2",
    "with_arctic",
    "with_passport_zoom",
    "with_rivet",
]
WHOLE_WAY = {
    "scope": " ".join(SCOPES),
    "user_id": JANE,
    "rotated": True,
    "reuse": "invalid_grant",
    "revoked": "success",
    "afterwards": 401,
}


def run_python(published: PublishedClients, python: str, client: str) -> Any:
    """One Python client."""
    return published.run(python, str(HERE / "python" / "runner.py"), client)


def run_node(published: PublishedClients, node: Path, client: str) -> Any:
    """One Node client."""
    redirect, runner = str(node / "redirect.cjs"), str(node / "runner.mjs")
    return published.run("node", "--require", redirect, runner, client)


def went_the_whole_way(published: PublishedClients) -> None:
    """What the simulator saw: Zoom's own host names, and statuses in the order of the story."""
    tokens = published.journal("/oauth/token")
    assert [200, 200, 400] == [entry["status"] for entry in tokens][:3]
    assert {"zoom.us"} == {entry["host"] for entry in tokens}
    assert "api.zoom.us" in {entry["host"] for entry in published.journal("/v2/users/me")}
    assert 200 == published.journal("/oauth/revoke")[-1]["status"]
    assert not any(grant["generation"] == 1 for grant in published.grants())


@pytest.mark.parametrize("client", PYTHON)
def test_python_clients(published: PublishedClients, python: str, client: str) -> None:
    """From the first redirect to the revocation, each step as the client itself reports it."""
    assert WHOLE_WAY == run_python(published, python, client)
    went_the_whole_way(published)


@pytest.mark.parametrize("client", NODE)
def test_node_clients(published: PublishedClients, node: Path, client: str) -> None:
    """The same for clients of another language."""
    reported = run_node(published, node, client)
    assert WHOLE_WAY == {name: reported[name] for name in WHOLE_WAY}
    went_the_whole_way(published)


def test_the_device_grant_of_a_certified_client(published: PublishedClients, node: Path) -> None:
    """openid-client asks for a device code, waits, and is given tokens."""
    assert "bearer" == run_node(published, node, "with_openid_client")["device"]


def test_an_official_client_reads_the_tracking_id(published: PublishedClients, node: Path) -> None:
    """Zoom's own kit finds x-zm-trackingid where it expects it."""
    assert run_node(published, node, "with_rivet")["tracked"]


def test_sign_in_of_a_django_site(published: PublishedClients, python: str) -> None:
    """django-allauth's Zoom provider makes a local account for the Zoom user, with both tokens."""
    assert {
        "user_id": JANE,
        "email": "jane@example.com",
        "stored": True,
        "status": 302,
    } == run_python(published, python, "with_allauth")


def test_sign_in_with_auth_js(published: PublishedClients, node: Path) -> None:
    """Auth.js's Zoom provider makes a session for the Zoom user."""
    assert {
        "user_id": JANE,
        "email": "jane@example.com",
        "stored": True,
        "status": 302,
    } == run_node(published, node, "with_auth_js")


def test_a_client_of_the_rest_api(published: PublishedClients, python: str) -> None:
    """Pyzoom refreshes, makes a meeting that its strict schemas accept, lists and deletes it."""
    assert {
        "rotated": True,
        "topic": "Standup",
        "listed": True,
        "left": 0,
    } == run_python(published, python, "with_pyzoom")


def test_a_server_to_server_client(published: PublishedClients, python: str) -> None:
    """Zoomus gets its token by account_credentials and reads the account's users."""
    assert {"users": 1, "user_id": JANE} == run_python(published, python, "with_zoomus")
