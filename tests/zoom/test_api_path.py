"""Which calls of Zoom's API go out: only those whose every spelling is known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.errors import CallRefused, ConfigurationError
from paraph.settings.model import DEFAULT_PROXY_ALLOW
from paraph.zoom.api_path import AllowList, PermittedCall, Target, parse_target
from vector_files import cases


def target(path: str) -> Target:
    """A target without a query."""
    return parse_target(path.encode())


@pytest.mark.parametrize("case", cases("api_path"))
def test_the_traversal_corpus(case: dict[str, Any]) -> None:
    """A path is taken byte for byte or not at all."""
    path, query = case["path"].encode("latin-1"), case["query"].encode("latin-1")
    if case["result"] == "invalid":
        with pytest.raises(CallRefused):
            parse_target(path, query)
    else:
        expected = path + (b"?" + query if query else b"")
        assert expected == str(parse_target(path, query)).encode("latin-1")


@given(st.binary(max_size=80), st.binary(max_size=40))
def test_whatever_bytes_arrive(path: bytes, query: bytes) -> None:
    """A target or a refusal, and nothing in a target but what was judged."""
    try:
        made = parse_target(b"/v2/" + path, query)
    except CallRefused:
        return
    assert ".." not in made.segments and "" not in made.segments
    assert not set("%\\;#\r\n\0 ") & set(made.path.replace("%40", "").replace("%3D", ""))


def test_too_long_a_path_or_query() -> None:
    """Nobody's call is that long."""
    with pytest.raises(CallRefused):
        parse_target(b"/v2/" + b"a" * 2000)
    with pytest.raises(CallRefused):
        parse_target(b"/v2/users", b"a=" + b"b" * 5000)


def test_only_the_check_makes_a_target() -> None:
    """Nobody can build a target or a permitted call that was not judged."""
    with pytest.raises(TypeError):
        Target("/oauth/token", "")
    with pytest.raises(TypeError):
        PermittedCall("GET", target("/v2/users/me"))


@pytest.mark.parametrize(
    ("rule", "method", "path", "covered"),
    [
        ("GET /v2/users/me", "GET", "/v2/users/me", True),
        ("GET /v2/users/me", "POST", "/v2/users/me", False),
        ("GET /v2/users/me", "GET", "/v2/users/me/meetings", False),
        ("GET /v2/users/*", "GET", "/v2/users/abc", True),
        ("GET /v2/users/*", "GET", "/v2/users", False),
        ("GET /v2/users/**", "GET", "/v2/users/abc/meetings/1", True),
        ("GET /v2/users/**", "GET", "/v2/users", False),
        ("GET /v2/**", "GET", "/v2/users", True),
        ("GET,PATCH /v2/meetings/*", "PATCH", "/v2/meetings/1", True),
        ("* /v2/meetings/*", "DELETE", "/v2/meetings/1", True),
        ("* /v2/**", "TRACE", "/v2/meetings/1", False),
        ("* /v2/**", "GET", "/v2/users/me/token", False),
        ("* /v2/users/me/*", "GET", "/v2/users/me/zak", False),
        ("* /v2/**", "GET", "/v2/meetings/1/livestream", False),
        ("* /v2/**", "PATCH", "/v2/webinars/1/livestream/status", False),
        ("* /v2/webinars/*/*", "GET", "/v2/webinars/1/LiveStream", False),
        ("GET /v2/meetings/*/livestream", "GET", "/v2/meetings/1/livestream", True),
        (
            "GET /v2/past_meetings/*/participants",
            "GET",
            "/v2/past_meetings/%252Fajx%252FqU1Q1yYq2Vd1q3Xig%253D%253D/participants",
            True,
        ),
        ("* /v2/**", "GET", "/v2/users/me/Token", False),
        ("* /v2/**", "GET", "/v2/users/me/zak.json", False),
        ("* /v2/**", "GET", "/v2/meetings/1/jointoken/local_recording", False),
        (
            "GET /v2/meetings/*/jointoken/*",
            "GET",
            "/v2/meetings/1/jointoken/live_streaming",
            True,
        ),
        ("GET /v2/users/me/zak", "GET", "/v2/users/me/zak", True),
        ("GET /v2/users/*/token", "GET", "/v2/users/me/token", True),
    ],
)
def test_rules(rule: str, method: str, path: str, *, covered: bool) -> None:
    """A rule covers what it names, and a wildcard never a call that hands out a credential."""
    allowed = AllowList([rule])
    if covered:
        assert method == allowed.permit(method, target(path)).method
    else:
        with pytest.raises(CallRefused):
            allowed.permit(method, target(path))


def test_an_encoded_spelling_is_the_same_segment_to_a_rule() -> None:
    """`%40` is `@` to Zoom, so a rule must not be dodged by writing one for the other."""
    allowed = AllowList(["GET /v2/users/*"])
    call = allowed.permit("GET", target("/v2/users/a%40b.example"))
    assert "/v2/users/a%40b.example" == call.target.path


def test_every_bad_rule_is_named() -> None:
    """All problems at once, each by the rule's own text."""
    with pytest.raises(ConfigurationError) as caught:
        AllowList(["GET /v1/users", "FETCH /v2/users", "GET /v2/**/x", "GET /v2/users"])
    assert 3 == len(caught.value.problems)


def test_the_default_reads_and_writes_meetings_only() -> None:
    """What the default covers: reading, and writing meetings and webinars."""
    allowed = AllowList(DEFAULT_PROXY_ALLOW)
    allowed.permit("GET", target("/v2/users/me/recordings"))
    allowed.permit("POST", target("/v2/users/me/meetings"))
    allowed.permit("PATCH", target("/v2/meetings/123"))
    for method, path in (
        ("DELETE", "/v2/users/abc"),
        ("PATCH", "/v2/accounts/me/settings"),
        ("POST", "/v2/marketplace/app/event_subscription"),
        ("GET", "/v2/users/me/zak"),
        ("GET", "/v2/meetings/123/livestream"),
        ("PATCH", "/v2/webinars/123/livestream"),
    ):
        with pytest.raises(CallRefused):
            allowed.permit(method, target(path))
