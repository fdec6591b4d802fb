"""Stored events and their redelivery. Bodies are never shown: they go to the host only, signed."""

# No `from __future__ import annotations` here: FastAPI resolves the annotations of nested
# functions, and as text their names could not be found.
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from paraph.api.document import IDEMPOTENT, REPEATABLE, ApiKeyDependency
from paraph.events.redelivery import find_event, redeliver
from paraph.lifecycle.api_key import ApiKey, Scope, require_scope, require_unlimited
from paraph.lifecycle.context import Context
from paraph.model.event import EventStatus, KeptEvent

_ID = Annotated[str, Query(pattern=r"^[A-Za-z0-9_-]{0,80}$")]


class EventResponse(BaseModel):
    """The status of one event."""

    id: str
    name: str
    account_id: str
    received_at: int
    status: EventStatus
    attempts: int
    next_attempt_at: int | None
    handed_on_at: int | None
    failure: str


class EventPage(BaseModel):
    """One page of events, newest first."""

    events: list[EventResponse]
    next: str | None


def event_routes(context: Context, key: ApiKeyDependency) -> APIRouter:
    """Return the event routes; events cover every subject, so a limited key may not read them."""
    router = APIRouter(prefix="/v1", tags=["events"])

    @router.get("/events")
    async def list_events(
        *,
        key: Annotated[ApiKey, Depends(key)],
        status: EventStatus | None = None,
        after: _ID = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> EventPage:
        """List events of Zoom and notices of paraph, newest first, page by page."""
        require_scope(key, Scope.READ)
        require_unlimited(key)
        async with context.store.reading() as tx:
            found = await tx.events.page(status=status, after=after, limit=limit + 1)
        page = found[:limit]
        return EventPage(
            events=[_response_of(one) for one in page],
            next=page[-1].event_id if len(found) > limit else None,
        )

    @router.get("/events/{event_id}")
    async def get_event(event_id: str, key: Annotated[ApiKey, Depends(key)]) -> EventResponse:
        """Get one event."""
        require_scope(key, Scope.READ)
        require_unlimited(key)
        return _response_of(await find_event(context, event_id))

    @router.post(
        "/events/{event_id}/redeliver",
        status_code=202,
        dependencies=IDEMPOTENT,
        responses=REPEATABLE,
    )
    async def redeliver_event(event_id: str, key: Annotated[ApiKey, Depends(key)]) -> EventResponse:
        """Forward an event again; refused if its body is gone or its installation was removed."""
        require_scope(key, Scope.READ)
        require_unlimited(key)
        await redeliver(context, event_id)
        return _response_of(await find_event(context, event_id))

    return router


def _response_of(event: KeptEvent) -> EventResponse:
    waits = event.status is EventStatus.RECEIVED
    return EventResponse(
        id=event.event_id,
        name=event.shown_name,
        account_id=event.account_id,
        received_at=event.received_at,
        status=event.status,
        attempts=event.attempts,
        next_attempt_at=event.next_attempt_at if waits else None,
        handed_on_at=event.handed_on_at,
        failure=event.failure,
    )
