"""Lists of the REST API, page by page."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from paraph.simulator.engine import Simulator
from paraph.simulator.response import ResponseDraft
from paraph.simulator.rest.bearer import ApiError
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.ledger import Bearer

_SKILLS = "github zoom/skills: rest-api"
_PAGE_SIZE = 30


@behaviour(
    "REST API",
    "a list has pages of 30 entries, by next_page_token or by page_number",
    "documented",
    source=_SKILLS,
)
@behaviour(
    "REST API",
    "a next_page_token that has expired or is of another list is 400 with code 300",
    "documented",
    source="reference of the cloud recording API",
)
def page_of(
    simulator: Simulator,
    request: Request,
    bearer: Bearer,
    name: str,
    found: list[dict[str, Any]],
    *,
    has_numbers: bool = True,
    **more: Any,
) -> ResponseDraft:
    """Return one page of a list.

    Args:
        simulator: the simulated Zoom.
        request: its query selects the page.
        bearer: the caller.
        name: the key under which the entries stand.
        found: all entries.
        has_numbers: False for a list without `page_number`.
        more: further keys of the response.

    Raises:
        ApiError: the token of the page does not work.
    """
    query = request.query_params
    size = _count(query.get("page_size"), default=_PAGE_SIZE, most=300)
    number = _count(query.get("page_number"), default=1, most=100_000) if has_numbers else 1
    subject = f"{bearer.client_id} {bearer.user_id} {request.url.path}"
    start = (number - 1) * size
    if token := query.get("next_page_token"):
        continued = simulator.page_tokens.start_of(token, subject)
        if continued is None:
            raise ApiError(400, 300, "The next page token is either invalid or expired.")
        start = continued
        number = start // size + 1
    end = start + size
    content: dict[str, Any] = {
        **more,
        "page_count": max(1, -(-len(found) // size)),
        "page_size": size,
        "total_records": len(found),
        "next_page_token": simulator.page_tokens.issue(subject, end) if end < len(found) else "",
        name: found[start:end],
    }
    if has_numbers:
        content["page_number"] = number
    return ResponseDraft.of_json(200, content)


def _count(text: str | None, *, default: int, most: int) -> int:
    if text is None or not (text.isascii() and text.isdecimal() and len(text) < 8):
        return default
    return min(max(int(text), 1), most)
