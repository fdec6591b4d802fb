"""Nothing off this machine is attacked without a proof."""

from __future__ import annotations

import pytest

from paraph.checks.ownership import demand_ownership, is_loopback
from paraph.checks.runner import run
from paraph.checks.target import Hook, Hooks, Registration, Target, Urls
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
    ],
)
def test_loopback_is_what_can_only_be_this_machine(url: str, expected: bool) -> None:  # noqa: FBT001 - A table's column.
    """Names and networks belong to somebody."""
    assert expected == is_loopback(url)


def target(**urls: str) -> Target:
    """A target with one URL somewhere else."""
    named = Urls(redirect="/callback", **{"base": "http://127.0.0.1:1", **urls})  # type: ignore[arg-type]
    return Target(name="x", urls=named, zoom=Registration(port=8100))


@pytest.mark.parametrize("name", ["base", "webhook", "start", "plain"])
def test_every_url_elsewhere_needs_the_proof(name: str) -> None:
    """One foreign URL among our own is enough to hurt somebody."""
    with pytest.raises(ConfigurationError) as caught:
        run(target(**{name: "https://10.255.255.1:9"}), [], told=lambda _finding: None)
    assert "ownership_token" in caught.value.problems[0]


def test_a_hook_elsewhere_needs_it_too() -> None:
    """Hooks are requests as well."""
    made = target()
    made.hooks = Hooks(use=Hook(url="https://app.example/use"))
    with pytest.raises(ConfigurationError):
        demand_ownership(made)


def test_a_file_that_says_something_else_is_no_proof() -> None:
    """The token must be served by the target itself; here nobody answers."""
    made = target(base="http://10.255.255.1.invalid")
    made.ownership_token = "0123456789abcdef0123"
    with pytest.raises(ConfigurationError, match=r"paraph-check\.txt"):
        demand_ownership(made)
