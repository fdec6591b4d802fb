"""A target on another machine is attacked only with a proof of ownership."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from paraph.checks.harness.http.destination import THIS_MACHINE
from paraph.checks.harness.ownership import demand_ownership, is_loopback
from paraph.checks.runner import run
from paraph.checks.target import Hook, Hooks, Registration, Target, Urls, Variant
from paraph.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000/x", True),
        ("http://localhost:8000", True),
        ("http://[::1]:8000", True),
        ("http://127.0.0.1:{port2}/x", True),
        ("/callback", True),
        ("https://app.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0", False),
        ("https:///nothing", False),
        ("//host/x", False),
        ("{zoom}@host", False),
        ("{zoom}/x", True),
        ("http://127.0.0.1:8000@host/x", False),
        ("http://127.0.0.1\\@host/x", False),
        ("/\t/host/x", False),
        ("http://127.0.0.1.:8000/", False),
        ("http://localhost./", False),
    ],
)
def test_loopback_is_what_can_only_be_this_machine(url: str, expected: bool) -> None:  # noqa: FBT001 - A table's column.
    """Only loopback names and addresses count as this machine."""
    assert expected == is_loopback(url)


def target(**urls: str) -> Target:
    """A target with one URL on another machine."""
    named = Urls(redirect="/callback", **{"base": "http://127.0.0.1:1", **urls})  # type: ignore[arg-type]
    return Target(name="x", urls=named, zoom=Registration(port=8100))


HOSTILE = [
    "//host.example/x",
    "/\t/host.example/x",
    "{zoom}@host.example",
    "{zoom}.host.example/x",
    "{trap}@host.example",
    "http://127.0.0.1:{port}@host.example/x",
    "http://127.0.0.1:{port}\\@host.example/x",
    "http://localhost.host.example",
    "http://localhost./x",
    "http://2130706433/x",
    "http://0x7f.1/x",
    "http://127.1/x",
    "http://0177.0.0.1/x",
    "http://[::ffff:127.0.0.1]/x",
    "http://[::ffff:10.0.0.1]/x",
    "http://127.0.0.1\u3002host.example/x",
    "http://\u24db\u24de\u24d2alhost/x",
    "http://127.0.0.1%2ehost.example/x",
    "ftp://127.0.0.1/x",
    "http://[::1",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_no_spelling_of_a_url_makes_another_host_ours(url: str) -> None:
    """The URL that will be requested is checked: filled in, resolved, and parsed once."""
    made = target(webhook=url)
    with pytest.raises(ConfigurationError):
        run(made, [], told=lambda _finding: None)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}#@host.example", "///x", "/\\\\host.example", "/a?b=//host", "@h"],
)
def test_a_url_that_stays_here_needs_no_proof(url: str) -> None:
    """A request to this machine needs no proof, whatever its path is."""
    assert THIS_MACHINE == demand_ownership(target(webhook=url))


@pytest.mark.parametrize("url", [*HOSTILE, "{url}@host.example", "/x"])
def test_no_hook_leads_elsewhere(url: str) -> None:
    """A hook's URL is checked with its placeholders filled in."""
    made = target()
    made.hooks = Hooks(use=Hook(url=url))
    with pytest.raises(ConfigurationError):
        demand_ownership(made)


def test_a_base_that_is_no_url_is_named() -> None:
    """A base that cannot be parsed is a problem of the file, with its name in it."""
    with pytest.raises(ConfigurationError) as caught:
        demand_ownership(target(base="http://[::1"))
    (problem,) = caught.value.problems
    assert problem.startswith("urls.base does not lead to one plain place")


def test_every_base_of_a_variant_is_checked() -> None:
    """The base of every variant needs a proof as well."""
    made = target()
    made.variants = {"tls": Variant(base="https://host.example")}
    with pytest.raises(ConfigurationError, match=r"host\.example is not this machine"):
        demand_ownership(made)


@pytest.mark.parametrize("field", ["ready", "redirect_uri", "more_origins"])
def test_every_other_place_of_the_file_is_checked(field: str) -> None:
    """URLs to which the check only connects, or is redirected, need a proof as well."""
    made = target()
    if field == "ready":
        made.start.ready = "//host.example/"
    elif field == "redirect_uri":
        made.zoom.redirect_uri = "https://host.example/callback"
    else:
        made.urls.more_origins = ["https://host.example"]
    with pytest.raises(ConfigurationError, match=r"host\.example is not this machine"):
        demand_ownership(made)


def test_the_proof_opens_its_own_origin_alone() -> None:
    """A proof on one port is not valid for another port."""
    received: list[str] = []

    class Proof(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Serve the token and record the path."""
            received.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"0123456789abcdef0123\n")

        def log_message(self, *_args: object) -> None:
            """Print nothing."""

    host = socket.gethostname()
    with ThreadingHTTPServer(("", 0), Proof) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            port = server.server_address[1]
            made = target(base=f"http://{host}:{port}")
            made.ownership_token = "0123456789abcdef0123"
            reach = demand_ownership(made)
        finally:
            server.shutdown()
    assert ["/.well-known/paraph-check.txt"] == received
    assert "" == reach.problem(f"http://{host.upper()}:{port}/x")
    assert "has not proved" in reach.problem(f"http://{host}:{port + 1}/x")
    assert "has not proved" in reach.problem(f"https://{host}:{port}/x")


@pytest.mark.parametrize("name", ["base", "webhook", "start", "plain"])
def test_every_url_elsewhere_needs_the_proof(name: str) -> None:
    """One URL on another machine is enough to require a proof."""
    with pytest.raises(ConfigurationError) as caught:
        run(target(**{name: "https://10.255.255.1:9"}), [], told=lambda _finding: None)
    assert "ownership_token" in caught.value.problems[0]


def test_a_hook_elsewhere_needs_it_too() -> None:
    """The URL of a hook needs a proof as well."""
    made = target()
    made.hooks = Hooks(use=Hook(url="https://app.example/use"))
    with pytest.raises(ConfigurationError):
        demand_ownership(made)


def test_a_file_that_says_something_else_is_no_proof() -> None:
    """Without a response from the target the proof is missing."""
    made = target(base="http://10.255.255.1.invalid")
    made.ownership_token = "0123456789abcdef0123"
    with pytest.raises(ConfigurationError, match=r"paraph-check\.txt"):
        demand_ownership(made)
