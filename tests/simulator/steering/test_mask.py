from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.simulator.steering.mask import HIDDEN, Pair, mask_body, mask_pairs, mask_text

SECRET = "s3cr3t-v4lue"
NAMES = [
    *("code", "state", "code_verifier", "code_challenge", "client_secret", "refresh_token"),
    *("access_token", "token", "device_code", "user_code", "password", "download_token"),
    *("plainToken", "encryptedToken", "webhook_secret", "client_assertion"),
]
HEADERS = ["authorization", "cookie", "set-cookie", "x-zm-signature", "x-zoom-app-context"]


@pytest.mark.parametrize("name", [*NAMES, *HEADERS])
def test_a_secret_pair_shows_its_name_alone(name: str) -> None:
    """Whatever its case, the name of a secret stays and the value does not."""
    for written in (name, name.upper()):
        assert [Pair(written, HIDDEN)] == mask_pairs([[written, SECRET]])


@pytest.mark.parametrize("scheme", ["Basic", "Bearer", "bearer"])
def test_the_scheme_of_credentials_stays(scheme: str) -> None:
    """Whether an app sends Basic or Bearer is what a developer looks for."""
    header = ["authorization", f"{scheme} {SECRET}"]
    assert [Pair("authorization", f"{scheme} {HIDDEN}")] == mask_pairs([header])


@pytest.mark.parametrize("name", NAMES)
def test_secrets_in_urls_and_bodies_are_masked(name: str) -> None:
    """A parameter of a URL, a form or JSON is masked, in whole bodies and in ones cut short."""
    for text in (
        f"https://app.example/cb?x=1&{name}={SECRET}&y=2#{name}={SECRET}",
        f"{name}={SECRET}",
        json.dumps({"a": [{name: SECRET}]}),
        json.dumps({"a": {name: SECRET, "b": 1}})[:-3],
        json.dumps({"link": f"https://zoom.us/x?{name}={SECRET}"}),
    ):
        assert SECRET not in mask_body(text)
        assert name in mask_body(text)


def test_a_location_and_a_referer_are_masked() -> None:
    """Codes also travel in URLs within other headers."""
    url = f"https://app.example/cb?code={SECRET}&state={SECRET}"
    for pair in mask_pairs([["location", url], ["referer", url]]):
        assert f"https://app.example/cb?code={HIDDEN}&state={HIDDEN}" == pair.value


def test_a_code_that_zoom_refused_is_masked() -> None:
    """Zoom repeats it in its error, and it may be alive: another client's, or one of a typo."""
    response = {"reason": f"Invalid authorization code {SECRET}", "error": "invalid_grant"}
    for text in (json.dumps(response), json.dumps(response)[:-10]):
        assert SECRET not in mask_body(text)


def test_a_device_page_is_masked() -> None:
    """The page that completes a device's request has the user code in its path."""
    assert f"/oauth/device/complete/{HIDDEN}?a=b" == mask_text("/oauth/device/complete/abcd?a=b")


def test_what_is_no_secret_stays() -> None:
    """Error numbers, addresses and words are what the console is for."""
    body = json.dumps({"code": 124, "message": "Invalid access token.", "encode": "x"})
    assert {"code": 124, "message": "Invalid access token.", "encode": "x"} == json.loads(
        mask_body(body)
    )
    pairs = [["host", "zoom.us"], ["grant_type", "refresh_token"], ["promo_code", "x"]]
    assert [Pair(*pair) for pair in pairs] == mask_pairs(pairs)


def test_revealing_changes_nothing() -> None:
    """Asked for, a pair and a body are shown as they came."""
    assert [Pair("code", SECRET)] == mask_pairs([["code", SECRET]], revealed=True)
    assert SECRET in mask_body(json.dumps({"code": SECRET}), revealed=True)
    assert "not json" == mask_body("not json", revealed=True)


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "replace")))
def test_any_text_is_masked_without_failing(text: str) -> None:
    """Whatever a body is, masking ends with a text."""
    assert isinstance(mask_body(text), str)


def test_deep_nesting_is_masked() -> None:
    """A body nested beyond the parser's depth is masked as text."""
    text = '{"code":"' + SECRET + '","a":' + "[" * 100_000
    assert SECRET not in mask_body(text)
