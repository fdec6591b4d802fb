from __future__ import annotations

from typing import Any

import msgspec
import pytest

from paraph.simulator.apps.app_review import review_app
from paraph.simulator.state.world import App, Zoom

STRONG = App(
    client_id="cid",
    client_secret="a-long-client-secret",
    webhook_secret="a-long-webhook-secret",
    redirect_uris=["https://app.example/cb"],
    install_type="LANDING_PAGE",
    landing_url="https://app.example/start",
    event_url="https://app.example/webhook",
    deauthorization_url="https://app.example/webhook",
)


def findings(zoom: Zoom | None = None, **changes: Any) -> list[str]:
    """What is not in order when one setting of a good app is spoilt, with its verdict."""
    app = msgspec.structs.replace(STRONG, **changes)
    return [
        f"{one.verdict}: {one.text}"
        for one in review_app(app, zoom or Zoom())
        if one.verdict != "fine"
    ]


def test_a_good_app_has_no_finding() -> None:
    """An app that a reviewer would pass has nothing but what is in order."""
    assert [] == findings()
    assert len(review_app(STRONG, Zoom())) > 5


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"client_secret": "short"}, "weak: the client secret is short"),
        ({"client_secret": ""}, "refused: there is no client secret"),
        ({"webhook_secret": "short"}, "weak: the webhook secret is short"),
        ({"webhook_secret": ""}, "refused: there is no webhook secret"),
        ({"scopes": []}, "refused: no scope is required"),
        (
            {"scopes": ["user:read:user", "user:read:user:admin"]},
            "refused: scopes of users and of admins are mixed",
        ),
        ({"scopes": ["user:read:user:admin"]}, "weak: admin scopes in a user-managed app"),
        ({"level": "account"}, "weak: scopes without :admin in an admin-managed app"),
        ({"redirect_uris": []}, "refused: there is no redirect URL"),
        (
            {"redirect_uris": ["http://app.example/cb"]},
            "refused: http://app.example/cb is plain http",
        ),
        (
            {"redirect_uris": ["http://localhost:8000/cb"]},
            "refused: http://localhost:8000/cb is on localhost",
        ),
        (
            {"redirect_uris": ["http://127.0.0.1:8/cb"]},
            "weak: http://127.0.0.1:8/cb is on loopback",
        ),
        (
            {"redirect_uris": ["https://App.example/cb"]},
            "refused: https://App.example/cb has capitals in its host",
        ),
        (
            {"redirect_uris": ["https://app.example/cb#x"]},
            "refused: https://app.example/cb#x has a fragment",
        ),
        ({"redirect_uris": ["myapp://cb"]}, "refused: myapp://cb is not a web address"),
        ({"redirect_uris": ["http://["]}, "refused: http://[ is not a web address"),
        ({"allow_list": ["not-a-url"]}, "weak: not-a-url on the allow list is not a URL"),
        ({"subdomain_strict_mode": False}, "weak: the subdomain check is off"),
        ({"strict_mode": False}, "weak: strict mode is off"),
        ({"landing_url": ""}, "refused: the landing page has no URL"),
        (
            {"install_type": "APP_DIRECTORY"},
            "weak: Add leads straight to the authorization, without state",
        ),
        ({"deauthorization_url": ""}, "refused: there is no deauthorization URL"),
        ({"published": False}, "weak: the app is not published"),
        ({"event_url": "http://app.example/w"}, "refused: the event URL is not https"),
        ({"event_url": "http://127.0.0.1/w"}, "weak: the event URL is on loopback"),
        (
            {"deauthorization_url": "nothing"},
            "refused: the deauthorization URL is not a web address",
        ),
    ],
)
def test_each_weakness_is_named(changes: dict[str, Any], expected: str) -> None:
    """One spoilt setting is one finding, with the verdict that Zoom or a reviewer gives."""
    assert [expected] == findings(**changes)


def test_a_base_url_matters_without_strict_mode() -> None:
    """A base URL on the allow list takes codes on every path once strict mode is off."""
    entry = ["https://app.example/"]
    assert [] == findings(allow_list=entry)
    assert [
        "weak: https://app.example/ on the allow list is a base URL",
        "weak: strict mode is off",
    ] == findings(allow_list=entry, strict_mode=False)


def test_a_public_client_may_use_loopback() -> None:
    """A public client has no secret, and redirects to loopback are documented for it."""
    changes: dict[str, Any] = {
        "public": True,
        "client_secret": "",
        "redirect_uris": ["http://127.0.0.1/cb"],
    }
    assert [] == findings(**changes)


def test_a_server_to_server_app_has_no_redirects() -> None:
    """An app that nobody installs is not judged by its redirects and removals."""
    assert [] == findings(
        kind="server-to-server", redirect_uris=[], event_url="", deauthorization_url=""
    )


def test_the_worst_stands_first() -> None:
    """What Zoom refuses is read before what is merely weak."""
    verdicts = [line.partition(":")[0] for line in findings(strict_mode=False, scopes=[])]
    assert ["refused", "weak"] == verdicts
