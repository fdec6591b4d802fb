"""Codes, states and handoffs do not reach the access log of a server."""

from __future__ import annotations

import logging

import pytest

from paraph.service.mount.access_log import LOGGERS, HideCodes, hide_codes

REDIRECT = "/zoom/oauth/redirect?code=0123456789abcdef&state=fedcba9876543210"


@pytest.mark.parametrize("name", LOGGERS)
def test_the_usual_servers_write_no_code(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Uvicorn passes the path as an argument, others a whole line, gunicorn named parts."""
    hide_codes()
    hide_codes()
    logger = logging.getLogger(name)
    assert 1 == sum(isinstance(one, HideCodes) for one in logger.filters)
    with caplog.at_level("INFO", name):
        logger.info('%s - "%s %s HTTP/%s" %d', "127.0.0.1:1", "GET", REDIRECT, "1.1", 303)
        logger.info('127.0.0.1 - "GET %s HTTP/1.1" 303', REDIRECT)
        logger.info(f'"GET {REDIRECT} HTTP/1.1" 303')  # noqa: G004 - A line that is made before.
        logger.info("%(r)s %(q)s", {"r": f"GET {REDIRECT} HTTP/1.1", "q": "a=b&state=fedcba98765"})
        logger.info("%s", "/zoom/link?return_to=1&handoff=0123456789abcdef")
        logger.info("%s", "/meetings?page=2&sort=code")
    assert "0123456789" not in caplog.text
    assert "fedcba98" not in caplog.text
    assert 6 == caplog.text.count("?***")
    assert "/zoom/oauth/redirect" in caplog.text
    assert "/meetings?page=2&sort=code" in caplog.text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/a?x='&code=0123456789", "/a?***"),
        ('"GET /a?x="&code=0123456789 HTTP/1.1" 303', '"GET /a?*** HTTP/1.1" 303'),
        ("/a?%63ode=0123456789", "/a?***"),
        ("/a?next=/b%3Fcode%3D0123456789", "/a?***"),
        ("/a%3Fcode=0123456789", "?***"),
        ("code=0123456789?x", "?***"),
        ("x=?&code=0123456789", "x=?***"),
        ('from "/a?code=0123456789"', 'from "/a?***"'),
        ("GET /a code=303", "GET /a code=303"),
        ("/a?zipcode=1&x=code", "/a?zipcode=1&x=code"),
    ],
)
def test_every_spelling_of_a_code_is_hidden(text: str, shown: str) -> None:
    """Quotation marks, percent-encoded names, bytes and extra fields hide no code."""
    record = logging.LogRecord("uvicorn.access", 20, "", 0, "%s %s", (text, text.encode()), None)
    record.request_line = text
    assert HideCodes().filter(record)
    assert f"{shown} {shown.encode()!r}" == record.getMessage()
    assert shown == vars(record)["request_line"]
