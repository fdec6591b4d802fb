"""Weaknesses in a manifest: none in a good one, and each one when its part is spoiled."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.errors import MessageMalformed
from paraph.zoom.manifest import parse_manifest
from paraph.zoom.manifest_weakness import Weakness, find_weaknesses

REDIRECT = "https://app.example.com/oauth/redirect"
WEBHOOK = "https://app.example.com/webhook"
GOOD: dict[str, Any] = {
    "display_information": {"display_name": "App"},
    "oauth_information": {
        "usage": "USER_OPERATION",
        "development_redirect_uri": "http://127.0.0.1:8000/marketplace",
        "production_redirect_uri": "https://app.example.com/marketplace",
        "oauth_allow_list": [REDIRECT, "https://app.example.com/marketplace"],
        "strict_mode": True,
        "subdomain_strict_mode": True,
        "scopes": [{"scope": "user:read:user", "optional": False}],
    },
    "features": {
        "products": ["ZOOM_MEETING"],
        "event_subscription": {
            "enable": True,
            "events": [
                {
                    "subscription_name": "all",
                    "event_types": ["meeting.ended"],
                    "development_webhook_url": "",
                    "production_webhook_url": WEBHOOK,
                },
            ],
        },
    },
}
OAUTH = "oauth_information"
SUBSCRIPTION = "features.event_subscription.events[0]"


def weaknesses(content: Any) -> tuple[Weakness, ...]:
    """The weaknesses of a manifest, against the service's own two URLs."""
    manifest = parse_manifest(json.dumps(content).encode())
    return find_weaknesses(manifest, redirect_uri=REDIRECT, webhook_url=WEBHOOK)


def spoiled(**changes: Any) -> dict[str, Any]:
    """The good manifest with members of oauth_information changed."""
    content = copy.deepcopy(GOOD)
    content[OAUTH].update(changes)
    return content


def subscribed(**changes: Any) -> dict[str, Any]:
    """The good manifest with members of its subscription changed."""
    content = copy.deepcopy(GOOD)
    content["features"]["event_subscription"]["events"][0].update(changes)
    return content


@pytest.mark.parametrize("content", [GOOD, {"manifest": GOOD}], ids=["bare", "as exported"])
def test_a_good_manifest_has_no_weakness(content: Any) -> None:
    """Exact redirect URIs, both switches on, https everywhere: nothing to say."""
    assert weaknesses(content) == ()


@pytest.mark.parametrize(
    ("content", "field", "words"),
    [
        (spoiled(strict_mode=False), f"{OAUTH}.strict_mode", "any path below"),
        (spoiled(strict_mode="true"), f"{OAUTH}.strict_mode", "any path below"),
        (spoiled(strict_mode=None), f"{OAUTH}.strict_mode", "any path below"),
        (spoiled(subdomain_strict_mode=False), f"{OAUTH}.subdomain_strict_mode", "subdomain"),
        (
            spoiled(oauth_allow_list=["https://app.example.com/oauth/redirect/"]),
            f"{OAUTH}.oauth_allow_list",
            "not registered exactly",
        ),
        (spoiled(oauth_allow_list=[]), f"{OAUTH}.oauth_allow_list", "not registered exactly"),
        (spoiled(oauth_allow_list=None), f"{OAUTH}.oauth_allow_list", "not registered exactly"),
        (
            spoiled(oauth_allow_list=[REDIRECT, "not-a-url"]),
            f"{OAUTH}.oauth_allow_list[1]",
            "not a URL",
        ),
        (
            spoiled(oauth_allow_list=[REDIRECT, "https://*.example.com/a"]),
            f"{OAUTH}.oauth_allow_list[1]",
            "not a URL",
        ),
        (
            spoiled(oauth_allow_list=[REDIRECT, "https://x@app.example.com/a"]),
            f"{OAUTH}.oauth_allow_list[1]",
            "not a URL",
        ),
        (
            spoiled(oauth_allow_list=[REDIRECT, "https://app.example.com/a#b"]),
            f"{OAUTH}.oauth_allow_list[1]",
            "not a URL",
        ),
        (
            spoiled(oauth_allow_list=[REDIRECT, "https://app.example.com/a\n"]),
            f"{OAUTH}.oauth_allow_list[1]",
            "not a URL",
        ),
        (
            spoiled(oauth_allow_list=[REDIRECT, "https://app.example.com"]),
            f"{OAUTH}.oauth_allow_list[1]",
            "base URL",
        ),
        (
            spoiled(oauth_allow_list=[REDIRECT, "https://app.example.com/"]),
            f"{OAUTH}.oauth_allow_list[1]",
            "base URL",
        ),
        (
            spoiled(oauth_allow_list=[REDIRECT, "http://app.example.com/a"]),
            f"{OAUTH}.oauth_allow_list[1]",
            "not https",
        ),
        (
            spoiled(oauth_allow_list=[REDIRECT, "http://localhost:8000/a"]),
            f"{OAUTH}.oauth_allow_list[1]",
            "not https",
        ),
        (
            spoiled(oauth_allow_list=[REDIRECT, "https://oauth.pstmn.io/v1/callback"]),
            f"{OAUTH}.oauth_allow_list[1]",
            "another host",
        ),
        (
            spoiled(oauth_allow_list=[REDIRECT, "https://app.example.com/A"]),
            f"{OAUTH}.oauth_allow_list[1]",
            "upper-case",
        ),
        (
            spoiled(production_redirect_uri="http://app.example.com/marketplace"),
            f"{OAUTH}.production_redirect_uri",
            "not https",
        ),
        (
            spoiled(production_redirect_uri="http://127.0.0.1/marketplace"),
            f"{OAUTH}.production_redirect_uri",
            "not https",
        ),
        (
            spoiled(production_redirect_uri="https://other.example/marketplace"),
            f"{OAUTH}.production_redirect_uri",
            "another host",
        ),
        (
            spoiled(development_redirect_uri="not-a-url"),
            f"{OAUTH}.development_redirect_uri",
            "not a URL",
        ),
        (
            subscribed(production_webhook_url="https://other.example/webhook"),
            SUBSCRIPTION,
            "do not go to",
        ),
        (subscribed(production_webhook_url=None), SUBSCRIPTION, "do not go to"),
        (
            subscribed(development_webhook_url="http://app.example.com/webhook"),
            f"{SUBSCRIPTION}.development_webhook_url",
            "not https",
        ),
    ],
)
def test_each_weakness_is_found_where_it_is(content: Any, field: str, words: str) -> None:
    """One spoiled part, one finding with its field, what is wrong and what to do."""
    there = [weakness for weakness in weaknesses(content) if weakness.field == field]
    found = [weakness for weakness in there if words in weakness.what]
    assert len(found) == 1
    assert found[0].remedy


def test_all_weaknesses_are_found_at_once() -> None:
    """A manifest as Zoom's quickstarts ship it says everything in one run."""
    content = spoiled(
        development_redirect_uri="https://example.ngrok.app",
        production_redirect_uri="",
        oauth_allow_list=["https://example.ngrok.app", "https://oauth.pstmn.io/v1/callback"],
        strict_mode=False,
        subdomain_strict_mode=False,
    )
    assert {weakness.field for weakness in weaknesses(content)} == {
        f"{OAUTH}.development_redirect_uri",
        f"{OAUTH}.oauth_allow_list",
        f"{OAUTH}.oauth_allow_list[0]",
        f"{OAUTH}.oauth_allow_list[1]",
        f"{OAUTH}.strict_mode",
        f"{OAUTH}.subdomain_strict_mode",
    }


def test_the_redirect_uri_may_be_the_registered_one() -> None:
    """An app without landing page registers the redirect URI itself, and that is exact too."""
    assert weaknesses(spoiled(production_redirect_uri=REDIRECT, oauth_allow_list=[REDIRECT])) == ()


def test_a_foreign_url_beside_our_own_is_named() -> None:
    """One URL of ours does not vouch for the other, nor for the allow list."""
    redirects = spoiled(
        development_redirect_uri=REDIRECT,
        production_redirect_uri="https://evil.example/x",
        oauth_allow_list=[REDIRECT, "https://evil.example/x"],
    )
    webhooks = subscribed(
        development_webhook_url=WEBHOOK, production_webhook_url="https://evil.example/webhook"
    )

    assert [
        ("redirect-of-another-service", f"{OAUTH}.production_redirect_uri"),
        ("foreign-host-allowed", f"{OAUTH}.oauth_allow_list[1]"),
    ] == [(one.rule, one.field) for one in weaknesses(redirects)]
    assert [("webhook-of-another-service", f"{SUBSCRIPTION}.production_webhook_url")] == [
        (one.rule, one.field) for one in weaknesses(webhooks)
    ]


@pytest.mark.parametrize("section", [None, {}, {"enable": False, "events": [{}]}])
def test_disabled_subscriptions_are_one_weakness(section: Any) -> None:
    """Without events there is no URL to check, and that is the weakness."""
    content = copy.deepcopy(GOOD)
    content["features"]["event_subscription"] = section
    assert ["no-event-subscription"] == [one.rule for one in weaknesses(content)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"manifest":[]}',
        b'{"manifest":{"manifest":{}}}',
        b'{"oauth_information":[]}',
        b'{"oauth_information":{"production_redirect_uri":7}}',
        b'{"oauth_information":{"oauth_allow_list":"https://a.example/"}}',
        b'{"oauth_information":{"oauth_allow_list":[7]}}',
        b'{"oauth_information":{"a":1},"features":[]}',
        b'{"oauth_information":{"a":1},"features":{"event_subscription":7}}',
        b'{"oauth_information":{"a":1},"features":{"event_subscription":{"enable":true,"events":7}}}',
        b'{"oauth_information":{"a":1},"features":{"event_subscription":{"enable":true,"events":[7]}}}',
    ],
)
def test_what_is_no_manifest_is_refused(body: bytes) -> None:
    """A wrong file, or a field of the wrong type, is named instead of guessed at."""
    with pytest.raises(MessageMalformed):
        parse_manifest(body)


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_the_urls_findings_and_no_failure(redirect: str, webhook: str) -> None:
    """No text in place of a URL makes the check fail."""
    content = subscribed(production_webhook_url=webhook)
    content[OAUTH]["production_redirect_uri"] = redirect
    content[OAUTH]["oauth_allow_list"] = [redirect]
    assert isinstance(weaknesses(content), tuple)
