"""The route of outgoing connections, as settings say it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from outgoing.conftest import Authority
from outgoing.doors import Way
from paraph.outgoing.route import (
    DIRECT,
    OutgoingRoute,
    check_bypass,
    ignored_variables,
    origin_of,
    parse_proxy,
)

PASSWORD = "p%40ss-9sWq2"


def test_a_proxy_is_read_and_never_shows_its_credentials() -> None:
    """Percent-encoding, IPv6, a user without a password; no text of the value holds a password."""
    one = parse_proxy(f"http://us%3ddr:{PASSWORD}@[2001:db8::7]:3128/")
    assert ("2001:db8::7", 3128, "us=dr", "p@ss-9sWq2") == (
        one.host,
        one.port,
        one.username,
        one.password.reveal(),
    )
    assert "http://[2001:db8::7]:3128" == str(one)
    pair = base64.b64decode(one.authorization.removeprefix("Basic ")).decode()
    assert "us=dr:p@ss-9sWq2" == pair
    for text in (repr(one), str(one), f"{one}", repr(OutgoingRoute(one))):
        assert "9sWq2" not in text
        assert "us=dr" not in text
    assert "" == parse_proxy("http://proxy.internal:80").authorization
    assert "Basic dTo=" == parse_proxy("http://u@proxy:3128").authorization


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("https://proxy:3128", "must begin with http://"),
        ("socks5://proxy:1080", "must begin with http://"),
        ("proxy:3128", "must begin with http://"),
        ("proxy", "must begin with http://"),
        ("http://proxy", "names no port"),
        ("http://proxy:0", "names no port"),
        ("http://proxy:99999", "is not a URL"),
        ("http://u:pa/ss@proxy:3128", "is not a URL"),
        ("http://u:pa#ss@proxy:3128", "is not a URL"),
        ("http://u:pa?ss@proxy:3128", "is not a URL"),
        ("http://proxy:3128/path", "more than a host and a port"),
        ("http://proxy:3128?a=b", "more than a host and a port"),
        ("http://prox\N{LATIN SMALL LETTER Y WITH ACUTE}:3128", "more than a host and a port"),
        ("http://:3128", "names no host"),
        ("http://pro xy:3128", "names no host"),
        ("http://u:a%zz@proxy:3128", "not percent-encoded"),
        ("http://u:a%0d%0ax@proxy:3128", "not percent-encoded"),
        ("http://u:a%ff@proxy:3128", "not percent-encoded"),
        ("http://:secret@proxy:3128", "has no user name"),
        ("http://a%3Ab:secret@proxy:3128", "has no user name"),
        ("http://[::1:3128", "is not a URL"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused(text: str, problem: str) -> None:
    """The problem says what to write and repeats nothing of the value."""
    with pytest.raises(ValueError, match=problem) as caught:
        parse_proxy(text)
    for part in ("secret", "pa/ss", "pa#ss", "99999"):
        assert part not in str(caught.value)


def test_who_is_reached_through_the_proxy() -> None:
    """Everything but loopback and the hosts, suffixes and networks of the bypass list."""
    route = Way(
        "http://p:3128", bypass=("vault.internal", ".corp.example", "10.0.0.0/8", "fd00::/8")
    )
    direct = [
        "http://127.0.0.1:8100",
        "http://localhost:8100",
        "https://[::1]:8200",
        "https://vault.internal:8200",
        "https://a.b.corp.example/x",
        "https://10.9.8.7",
        "https://[fd00::5]:1",
    ]
    proxied = [
        "https://zoom.us",
        "https://api.zoom.us/v2/users",
        "https://xvault.internal",
        "https://sub.vault.internal",
        "https://corp.example",
        "https://evilcorp.example",
        "https://10.example.org",
        "https://11.0.0.1",
        "https://localhost.example",
    ]
    assert [] == [url for url in direct if route.route.proxy_for(url) is not None]
    assert [] == [url for url in proxied if route.route.proxy_for(url) is None]
    assert None is DIRECT.proxy_for("https://zoom.us")


@pytest.mark.parametrize(
    "rule", ["", "*", "*.example", "http://x", "a b", "10.0.0.0/99", ".", "x:1"]
)
def test_a_bypass_that_is_no_host_is_refused(rule: str) -> None:
    """Patterns of other programs are not read differently: they are refused."""
    with pytest.raises(ValueError, match="is no host"):
        check_bypass(rule)


def test_variables_of_other_programs_are_named_unless_a_setting_stands_for_them(
    authority: Authority,
) -> None:
    """Names in both spellings, for as long as the setting in their place is not given."""
    environment = {
        "HTTPS_PROXY": "http://u:p@x:1",
        "https_proxy": "http://u:p@x:1",
        "NO_PROXY": "a",
        "HTTP_PROXY": "",
        "SSL_CERT_FILE": "/x",
        "PATH": "/bin",
    }
    assert ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "SSL_CERT_FILE"] == ignored_variables(
        environment, DIRECT
    )
    assert ["SSL_CERT_FILE"] == ignored_variables(environment, Way("http://p:1").route)
    assert [] == ignored_variables(environment, Way("http://p:1", ca_file=authority.file).route)
    assert [] == ignored_variables({"PATH": "/bin"}, DIRECT)


def test_an_origin_holds_no_path() -> None:
    """The path and query of a host's URL may be secret."""
    assert "https://host.example:8443" == origin_of("https://host.example:8443/hooks/s3cret?k=1")


def test_private_authorities_are_trusted_beside_the_public_ones(
    authority: Authority, tmp_path: Path
) -> None:
    """A private authority takes nothing away, and nothing of it reaches connections without it."""
    public = len(DIRECT.tls().get_ca_certs())
    assert public > 50
    assert public + 1 == len(Way(ca_file=authority.file).route.tls().get_ca_certs())
    assert public == len(DIRECT.tls().get_ca_certs())
