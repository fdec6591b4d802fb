"""Stored events, their redelivery, and the pause of forwarding.

Bodies are never shown: they go to the host only, signed.
"""

# No `from __future__ import annotations` here: FastAPI resolves the annotations of nested
# functions, and as text their names could not be found.
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from paraph.api.document import IDEMPOTENT, REPEATABLE, WITH_BODY, ApiKeyDependency
from paraph.events.pausing import pause_forwarding, read_pause, resume_forwarding
from paraph.events.redelivery import AT_ONCE, find_event, redeliver, redeliver_dead
from paraph.lifecycle.api_key import ApiKey, Scope, require_scope, require_unlimited
from paraph.lifecycle.context import Context
from paraph.model.event import (
    POSITION_PATTERN,
    EventFilter,
    EventPosition,
    EventStatus,
    ForwardingPause,
    KeptEvent,
)

_ID = Annotated[str, Query(pattern=r"^[A-Za-z0-9_-]{0,80}$")]
# PostgreSQL stores no NUL and accepts none in a query either.
_Text = Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]
_Seconds = Annotated[int, Field(ge=0, le=2**40)]


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


class DeadLettersBody(BaseModel):
    """The filter of dead letters to forward again; without any member, all of them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: _Text = ""
    account_id: _Text = ""
    user_id: _Text = Field(default="", description="A Zoom user whom the event names.")
    cause: _Text = Field(default="", description="A part of the cause, byte for byte.")
    received_from: _Seconds | None = None
    received_before: _Seconds | None = None
    after: str = Field(
        default="",
        pattern=f"^({POSITION_PATTERN})?$",
        description="The value of `next` of the previous response.",
    )
    limit: int = Field(default=AT_ONCE, ge=1, le=AT_ONCE)

    def filter(self) -> EventFilter:
        """Return the conditions."""
        return EventFilter(
            name=self.name,
            account_id=self.account_id,
            user_id=self.user_id,
            received_from=self.received_from,
            received_before=self.received_before,
            failure=self.cause,
        )


class RedeliveredResponse(BaseModel):
    """Numbers of dead letters. `next` is the position of the next call, if more match."""

    redelivered: int
    refused: int
    next: str | None


class ForwardingResponse(BaseModel):
    """The state of forwarding. `paused_by` is the id of an API key, or "" for the command line."""

    paused: bool
    paused_at: int | None
    paused_by: str


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
            last = EventPosition.parse(after) or after
            found = await tx.events.page(status=status, after=last, limit=limit + 1)
        page = found[:limit]
        return EventPage(
            events=[_response_of(one) for one in page],
            next=str(EventPosition.of(page[-1])) if len(found) > limit else None,
        )

    @router.post(
        "/events/redeliver",
        status_code=202,
        dependencies=IDEMPOTENT,
        responses={**REPEATABLE, **WITH_BODY},
    )
    async def redeliver_dead_letters(
        key: Annotated[ApiKey, Depends(key)], body: DeadLettersBody
    ) -> RedeliveredResponse:
        """Forward the dead letters of a filter again, oldest first, a number of them per call."""
        require_scope(key, Scope.READ)
        require_unlimited(key)
        done = await redeliver_dead(
            context,
            body.filter(),
            operator=key.key_id,
            after=EventPosition.parse(body.after),
            limit=body.limit,
        )
        return RedeliveredResponse(
            redelivered=done.done,
            refused=done.refused,
            next=str(done.after) if done.after else None,
        )

    @router.get("/forwarding")
    async def get_forwarding(key: Annotated[ApiKey, Depends(key)]) -> ForwardingResponse:
        """Say whether an operator has paused the forwarding of events."""
        require_scope(key, Scope.READ)
        require_unlimited(key)
        return _forwarding_of(await read_pause(context.store))

    @router.post("/forwarding/pause", dependencies=IDEMPOTENT, responses=REPEATABLE)
    async def pause(key: Annotated[ApiKey, Depends(key)]) -> ForwardingResponse:
        """Pause the forwarding of events on all replicas; deliveries are accepted and kept."""
        require_scope(key, Scope.READ)
        require_unlimited(key)
        await pause_forwarding(context, operator=key.key_id)
        return _forwarding_of(await read_pause(context.store))

    @router.post("/forwarding/resume", dependencies=IDEMPOTENT, responses=REPEATABLE)
    async def resume(key: Annotated[ApiKey, Depends(key)]) -> ForwardingResponse:
        """Resume the forwarding of events, oldest first."""
        require_scope(key, Scope.READ)
        require_unlimited(key)
        await resume_forwarding(context, operator=key.key_id)
        return _forwarding_of(await read_pause(context.store))

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
        await redeliver(context, event_id, operator=key.key_id)
        return _response_of(await find_event(context, event_id))

    return router


def _forwarding_of(pause: ForwardingPause | None) -> ForwardingResponse:
    if pause is None:
        return ForwardingResponse(paused=False, paused_at=None, paused_by="")
    return ForwardingResponse(paused=True, paused_at=pause.paused_at, paused_by=pause.paused_by)


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
