"""The comparison of two versions finds every kind of difference, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from project.compare import LIST
from project.compared_responses import (
    Allowed,
    Response,
    differences,
    masked,
    parse_responses,
    read_allowed,
)

STATE, OTHER_STATE = "kP3vXz0Qm1Rr8TtYwB5nCc", "Zq9LmN2bVx7CsDf4GhJk1W"


def json_response(body: str, *headers: tuple[str, str], status: int = 200) -> Response:
    """A response with a JSON body."""
    length = ("content-length", str(len(body)))
    return Response(
        status, "OK", (*headers, ("content-type", "application/json"), length), body.encode()
    )


def test_random_values_and_times_are_no_difference() -> None:
    """Ids, ports, dates and epoch seconds differ between any two services."""
    old = json_response(
        f'{{"id":"{STATE}","url":"http://localhost:20001/","expires_at":1795930012}}',
        ("date", "Sun, 29 Nov 2026 05:26:18 GMT"),
    )
    new = json_response(
        f'{{"id":"{OTHER_STATE}","url":"http://localhost:30002/","expires_at":1795930099}}',
        ("date", "Sun, 29 Nov 2026 05:26:19 GMT"),
    )

    assert [] == differences(old, new, Allowed())


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (json_response("{}"), json_response("{}", status=401), "status"),
        (json_response("{}"), json_response("{}", ("a", "b")), "header names"),
        (json_response("{}", ("A", "b")), json_response("{}", ("a", "b")), "header names"),
        (json_response("{}", ("a", "b")), json_response("{}", ("a", "c")), "header a"),
        (json_response('{"a":1,"b":2}'), json_response('{"b":2,"a":1}'), "JSON names at /"),
        (json_response('{"a":1}'), json_response('{"a":"1"}'), "JSON value at /a"),
        (json_response('{"a":1}'), json_response('{"a":2}'), "JSON value at /a"),
        (json_response('{"a":[1]}'), json_response('{"a":[1,1]}'), "JSON length at /a"),
        (json_response('{"a":"b"}'), json_response('{"a":"b c"}'), "JSON value at /a"),
        (json_response(f'{{"a":"{STATE}"}}'), json_response('{"a":""}'), "JSON value at /a"),
        (Response(200, body=b"Try again"), Response(200, body=b"Try later"), "text"),
        (Response(0, "silent"), Response(0, "closed"), "status"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_every_spoiled_part_is_found(old: Response, new: Response, found: str) -> None:
    """Status, names, order and values of headers, JSON structure and texts are compared."""
    (line,) = differences(old, new, Allowed())

    assert line.startswith(found)


def test_listed_differences_are_allowed(tmp_path: Path) -> None:
    """The list explains new wording and added names; another difference is still found."""
    (file := tmp_path / "list").write_text("# words\nprose: Mend it => Fix it\nkey: new_name\n")
    allowed = read_allowed(file)
    old = json_response('{"text":"Mend it"}')

    assert [] == differences(old, json_response('{"text":"Fix it","new_name":1}'), allowed)
    assert 1 == len(differences(old, json_response('{"text":"Fix it","other":1}'), allowed))
    assert {"Mend it", "new_name"} == allowed.used
    assert isinstance(read_allowed(LIST), Allowed)


def test_responses_are_read_as_they_arrive() -> None:
    """Several responses in one piece, a chunked one, and one that is incomplete."""
    first = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab"
    second = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\n\r\n"

    found, rest = parse_responses(first + second + first[:-1])

    assert [b"ab", b"cd"] == [one.body for one in found]
    assert [first, second] == [one.raw for one in found]
    assert first[:-1] == rest


def test_only_the_date_is_masked() -> None:
    """Both paths of one version are compared byte for byte, except for the date."""
    early, late, other = (
        Response(200, raw=b"HTTP/1.1 200 OK\r\ndate: %s\r\na: %s\r\n\r\n" % pair)
        for pair in ((b"1", b"b"), (b"2", b"b"), (b"2", b"B"))
    )

    assert masked([early]) == masked([late])
    assert masked([late]) != masked([other])
