"""The host's side of linking, for tests."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import httpx

from service_kit import Kit

NONCE = "n" * 43


def challenge_of(nonce: str) -> str:
    """S256 of a nonce."""
    digest = hashlib.sha256(nonce.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def install_url(api: httpx.AsyncClient, subject: str, nonce: str = NONCE) -> str:
    """What the host's backend asks for."""
    answer = await api.post(
        "/v1/link-requests", json={"subject": subject, "challenge": challenge_of(nonce)}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["install_url"])


async def handoff_of(kit: Kit, api: httpx.AsyncClient, subject: str, nonce: str = NONCE) -> str:
    """The handoff after the proofs."""
    async with kit.browser() as browser:
        done = await kit.install(browser, await install_url(api, subject, nonce))
    assert done.status_code == 303, done.text
    location = done.headers["location"]
    assert location.startswith("https://host.example/zoom/link?handoff=")
    return parse_qs(urlsplit(location).query)["handoff"][0]


async def claim(api: httpx.AsyncClient, handoff: str, nonce: str = NONCE) -> httpx.Response:
    """The host's backend opens the handoff."""
    return await api.post("/v1/handoffs/claim", json={"handoff": handoff, "verifier": nonce})


async def confirm(
    api: httpx.AsyncClient, code: str, subject: str, *, move: bool = False
) -> httpx.Response:
    """The host's user says yes."""
    body = {"subject": subject, "move": move}
    return await api.post(f"/v1/claims/{code}/confirm", json=body)


async def link(kit: Kit, api: httpx.AsyncClient, subject: str, *, move: bool = False) -> str:
    """The whole way through; the installation's id."""
    handoff = await handoff_of(kit, api, subject)
    code = (await claim(api, handoff)).json()["claim"]
    answer = await confirm(api, code, subject, move=move)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])
