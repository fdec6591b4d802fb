"""Query fields that carry or hand out a credential, in every spelling that a server might read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.errors import CallRefused
from paraph.zoom.api_path import AllowList, parse_target
from paraph.zoom.credential_fields import names_credential, requested_credentials

RECORDINGS = b"/v2/meetings/5/recordings"
EVERYTHING = AllowList(["* /v2/**"])
NAMED = AllowList(["GET /v2/meetings/*/recordings?include_fields=download_access_token"])

HANDED_OUT = [
    "include_fields=download_access_token",
    "include_fields=download%5faccess%5Ftoken",
    "include_fields=download_access%255ftoken",
    "include_fields=%64ownload_access_token",
    "include_fields=DOWNLOAD_ACCESS_TOKEN",
    "include_fields=downloadAccessToken",
    "include_fields=download-access-token",
    "include_fields=ttl,download_access_token",
    "include_fields=ttl%2Cdownload_access_token",
    "include_fields=ttl;include_fields=download_access_token",
    "include_fields=ttl&include_fields=download_access_token",
    "include_fields=ttl+download_access_token",
    "include_fields=ttl|download_access_token",
    "include_fields[]=download_access_token",
    "include_fields%5B0%5D=download_access_token",
    'include_fields=["download_access_token"]'.replace('"', "%22"),
    "includeFields=download_access_token",
    "fields=recording_files(download_access_token)",
    "x=1%26include_fields%3Ddownload_access_token",
    "include_fields=host_key",
    "type=zak",
    "include_fields=*",
    "include_fields=all",
    "include_fields=%EF%BD%9A%EF%BD%81%EF%BD%8B",
]
CARRIED = [
    "zak=1",
    "a;zak=1",
    "a=b;zak=1",
    "a&zak=1",
    "?zak=1",
    "ZAK=1",
    "%7aak=1",
    "%257aak=1",
    "zak[]=1",
    "zak",
    "access_token=1",
    "access%5Ftoken=1",
    "accessToken=1",
    "a;Access-Token=1",
    "user.zak=1",
    "jwt=1",
    "refresh_token=1",
    "a%26zak%3D1=2",
    "a%3Bzak=1",
]


def refused(allowed: AllowList, query: str, path: bytes = RECORDINGS) -> bool:
    """Return true if a GET with a query goes nowhere."""
    try:
        allowed.permit("GET", parse_target(path, query.encode("latin-1")))
    except CallRefused:
        return True
    return False


@pytest.mark.parametrize("query", HANDED_OUT + CARRIED)
def test_no_wildcard_passes_a_credential_in_a_query(query: str) -> None:
    """A rule without that name covers no spelling of a field that means a credential."""
    assert refused(EVERYTHING, query)


@pytest.mark.parametrize("query", CARRIED)
def test_no_rule_lets_a_query_carry_a_credential(query: str) -> None:
    """The access token is added here; a caller's own is refused whatever the rule names."""
    assert refused(AllowList(["GET /v2/meetings/*/recordings?zak=zak"]), query)


@pytest.mark.parametrize(
    ("query", "covered"),
    [
        ("include_fields=download_access_token", True),
        ("include_fields=download_access_token&ttl=60", True),
        ("include_fields=ttl%2Cdownload_access_token", True),
        ("", True),
        ("include_fields=host_key", False),
        ("include_fields=download_access_token,host_key", False),
        ("type=download_access_token", False),
    ],
)
def test_a_rule_covers_the_field_that_it_names(query: str, *, covered: bool) -> None:
    """A rule that names a field and its word covers these, and no other credential."""
    assert covered is not refused(NAMED, query)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "page_size=30&next_page_token=Usse957pzxvmYwlmCZ50a6CNXFrhztxuj82%3D",
        "pageToken=abc&syncToken=zak",
        "next_page_token=zak-token",
        "search_key=token",
        "q=zak+token",
        "type=scheduled&from=2026-01-01",
        "show_previous_occurrences=true",
        "include_fields=custom_attributes,tracking_fields",
        "email=kozak%40example.com",
        "status=active;role_id=2",
        "timezone=Europe/Prague",
    ],
)
def test_an_ordinary_query_passes(query: str) -> None:
    """Lists, searches and dates are no credentials."""
    assert not refused(EVERYTHING, query)


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("token", True),
        ("Token", True),
        ("zak.json", True),
        ("jointoken", True),
        ("closed_caption_token", True),
        ("host-key", True),
        ("recordings", False),
        ("kozak", False),
        ("token@example.com", False),
        ("KDcuGIm1QgePTO8WbOqwIQ", False),
        ("4444AAAiAAAAAiAiAiiAii==", False),
    ],
)
def test_a_segment_names_a_credential_by_its_words(segment: str, *, expected: bool) -> None:
    """A segment is read word by word, and an id or an address is no word."""
    assert expected is names_credential(segment)


@given(st.text(max_size=40))
def test_whatever_text_arrives(text: str) -> None:
    """Every query is refused or permitted; nothing else leaves."""
    query = text.encode("utf-8", "replace")
    try:
        EVERYTHING.permit("GET", parse_target(RECORDINGS, query))
    except CallRefused:
        return
    assert not re.search(rb"(?:^|[&;])zak=", query.lower())


@pytest.mark.parametrize("hidden", ["%C2%AD", "%E2%80%8B", "%E2%81%A0", "%EF%BB%BF"])
def test_characters_without_width_hide_no_credential(hidden: str) -> None:
    """Some servers drop them, and would read the name of the field."""
    asked = f"include_fields=download_access_to{hidden}ken"

    assert {("includefields", "downloadaccesstoken")} == requested_credentials(asked)
