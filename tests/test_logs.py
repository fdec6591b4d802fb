from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from paraph.logs import get_logger, set_up_logs
from paraph.secret import Secret


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged."""
    stream = io.StringIO()
    set_up_logs(stream=stream, as_json=True)
    yield stream
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "fields",
    [
        {"value": Secret("hush-hush-hush")},
        {"access_token": "hush-hush-hush"},
        {"code": "hush-hush-hush"},
        {"client_secret": "hush-hush-hush"},
        {"headers": {"authorization": "hush-hush-hush"}},
        {"headers": [{"cookie": "hush-hush-hush"}]},
        {"why": "GET /oauth/redirect?code=hush-hush-hush&x=1"},
        {"why": "state=hush-hush-hush"},
        {"why": "authorization: Bearer hush-hush-hush"},
        {"body": b"hush-hush-hush"},
        {"error": ValueError("code=hush-hush-hush")},
    ],
    ids=str,
)
def test_what_is_secret_is_masked(lines: io.StringIO, fields: dict[str, object]) -> None:
    """By type, by name or by its look in free text: it does not reach the line."""
    get_logger("test").info("something", **fields)

    assert "hush" not in lines.getvalue()
    assert "something" in lines.getvalue()


def test_a_line_is_one_json_object_that_says_who_speaks(lines: io.StringIO) -> None:
    """Machines read it: event, part, level, time, and plain fields as they were."""
    get_logger("webhook").warning("delivery.no_event", status_code=400, why="not an object")
    line = json.loads(lines.getvalue())

    assert "delivery.no_event" == line["event"]
    assert ("webhook", "warning", 400) == (line["part"], line["level"], line["status_code"])
    assert "not an object" == line["why"]
    assert line["timestamp"].endswith("Z")


def test_a_count_by_reason_is_told(lines: io.StringIO) -> None:
    """A number is no secret, whatever it counts: operators must see how many MACs were wrong."""
    reasons = {"signature_mismatch": 7, "state_mismatch": 1}
    get_logger("webhook").warning("deliveries.refused", reasons=reasons)

    assert reasons == json.loads(lines.getvalue())["reasons"]
