"""Which redirect URIs are accepted, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.simulator.oauth.redirect_check import redirect_is_registered
from paraph.simulator.state.world import App, Zoom

ROWS = [
    # strict mode: byte for byte, from either list
    ("strict", "https://app.example/cb", True),
    ("strict", "https://app.example/base", True),
    ("strict", "https://app.example/cb/", False),
    ("strict", "https://app.example/cb?x=1", False),
    ("strict", "https://app.example/base/x", False),
    ("strict", "https://APP.example/cb", False),
    ("strict", "HTTPS://app.example/cb", False),
    ("strict", "http://app.example/cb", False),
    ("strict", "https://app.example:444/cb", False),
    ("strict", "https://user@app.example/cb", False),
    ("strict", "https://app.example/cb#x", False),
    ("strict", "https://app.example/cb#", False),
    ("strict", "javascript:alert(1)", False),
    ("strict", "", False),
    # the subdomain switch alone: the same host, anything below a registered URL
    ("subdomain", "https://app.example/cb/x", True),
    ("subdomain", "https://app.example/cb?x=1", True),
    ("subdomain", "https://app.example/base/deep/er", True),
    ("subdomain", "https://app.example/cbx", False),
    ("subdomain", "https://app.example/other", False),
    ("subdomain", "https://tenant.app.example/cb", False),
    ("subdomain", "https://bare.example/anything", True),
    ("subdomain", "https://APP.example/cb/x", False),
    ("subdomain", "https://app.example:444/cb/x", False),
    ("subdomain", "https://query.example/cb?fixed=1", True),
    ("subdomain", "https://query.example/cb?fixed=2", False),
    ("subdomain", "https://query.example/cb", False),
    # neither switch: subdomains of a registered host as well
    ("base", "https://tenant.app.example/cb/x", True),
    ("base", "https://evilapp.example/cb", False),
    ("base", "https://app.example.evil.example/cb", False),
    ("base", "https://example/cb", False),
    ("base", "http://app.example/cb/x", False),
    # loopback: the port counts for everybody but public clients
    ("strict", "http://127.0.0.1:8000/cb", True),
    ("strict", "http://127.0.0.1:8001/cb", False),
    ("public", "http://127.0.0.1:8001/cb", True),
    ("public", "http://127.0.0.1/cb", True),
    ("public", "http://127.0.0.1:8001/other", False),
    ("public", "http://localhost:8001/cb", False),
    ("public", "https://127.0.0.1:8001/cb", False),
    ("public", "https://app.example:444/cb", False),
    # http://localhost, by the world's switch
    ("strict", "http://localhost:8000/cb", True),
    ("no-localhost", "http://localhost:8000/cb", False),
    ("no-localhost", "http://127.0.0.1:8000/cb", True),
]


def app_of(mode: str) -> App:
    """An app in a mode."""
    return App(
        client_id="cid",
        client_secret="sec",
        redirect_uris=[
            "https://app.example/cb",
            "http://127.0.0.1:8000/cb",
            "http://localhost:8000/cb",
        ],
        allow_list=[
            "https://app.example/base",
            "https://bare.example",
            "https://query.example/cb?fixed=1",
            "not-a-url",
            "http://[",
        ],
        strict_mode=mode not in {"subdomain", "base"},
        subdomain_strict_mode=mode != "base",
        public=mode == "public",
    )


@pytest.mark.parametrize(("mode", "uri", "accepted"), ROWS)
def test_redirect_uris(mode: str, uri: str, *, accepted: bool) -> None:
    """Each mode accepts exactly what its row says."""
    zoom = Zoom(localhost_redirects="refused" if mode == "no-localhost" else "allowed")
    assert accepted == redirect_is_registered(app_of(mode), zoom, uri)


@given(st.text() | st.builds("https://{}/cb".format, st.text()))
def test_any_text_is_checked(uri: str) -> None:
    """Whatever is presented, the answer is yes or no, and yes only for hosts of ours."""
    for mode in ("strict", "subdomain", "base", "public"):
        if redirect_is_registered(app_of(mode), Zoom(), uri):
            assert uri.startswith(("https://", "http://127.0.0.1", "http://localhost:8000/"))
            assert "example" in uri or not uri.startswith("https://")
