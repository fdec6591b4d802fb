"""The REST resources around meetings and users that published clients ask for.

They are the invitation, status and registrants of a meeting, past meetings with their participants,
and the settings, Zoom access key and webinars of a user.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from paraph.simulator.engine import Simulator
from paraph.simulator.response import ResponseDraft
from paraph.simulator.rest.bearer import (
    ApiError,
    Work,
    guarded,
    invalid_field,
    read_object,
    require_scope,
)
from paraph.simulator.rest.pages import page_of
from paraph.simulator.rest.rest_api import Resource, named_meeting
from paraph.simulator.rest.visibility import named_user
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.clock import iso_time
from paraph.simulator.state.ledger import Bearer
from paraph.simulator.state.meetings import Meeting

_REFERENCE = "Zoom's API reference; published clients: zoomus, pyzoom, @zoom/rivet"
_MOST_REGISTRANTS = 1000

behaviour(
    "REST API",
    "settings of a user, webinars and the Zoom access key are fixed examples",
    "inferred",
    source=_REFERENCE,
)


class MeetingDetailsApi:
    """Details of the meetings and users of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def resources(self) -> list[tuple[str, str, Resource]]:
        """Return method, path and resource of each route."""
        table: list[tuple[str, str, Work]] = [
            ("GET", "/v2/users/{user_id}/settings", self._settings),
            ("GET", "/v2/users/{user_id}/token", self._access_key),
            ("GET", "/v2/users/{user_id}/webinars", self._webinars),
            ("GET", "/v2/meetings/{number}/invitation", self._invitation),
            ("PUT", "/v2/meetings/{number}/status", self._change_status),
            ("GET", "/v2/meetings/{number}/registrants", self._registrants),
            ("POST", "/v2/meetings/{number}/registrants", self._register),
            ("GET", "/v2/past_meetings/{number}", self._past),
            ("GET", "/v2/past_meetings/{number}/participants", self._participants),
            ("GET", "/v2/report/meetings/{number}/participants", self._participants),
        ]
        return [(method, path, guarded(self._simulator, work)) for method, path, work in table]

    def _settings(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(self._simulator, bearer, "user:read:settings", "user:read")
        named_user(self._simulator, request, bearer)
        return ResponseDraft.of_json(
            200,
            {
                "schedule_meeting": {"host_video": False, "join_before_host": False},
                "in_meeting": {"chat": True, "waiting_room": True},
                "recording": {"cloud_recording": True, "auto_recording": "none"},
                "feature": {"meeting_capacity": 100, "webinar": False, "zoom_phone": True},
            },
        )

    def _access_key(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(self._simulator, bearer, "user:read:zak", "user:read:token", "user:read")
        named_user(self._simulator, request, bearer)
        return ResponseDraft.of_json(200, {"token": self._simulator.ledger.random_text(120)})

    def _webinars(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(self._simulator, bearer, "webinar:read:list_webinars", "webinar:read")
        named_user(self._simulator, request, bearer)
        return page_of(self._simulator, request, bearer, "webinars", [])

    def _meeting(self, request: Request, bearer: Bearer, *scopes: str) -> Meeting:
        require_scope(self._simulator, bearer, *scopes)
        return named_meeting(self._simulator, request, bearer)

    def _invitation(self, request: Request, bearer: Bearer) -> ResponseDraft:
        meeting = self._meeting(request, bearer, "meeting:read:invitation", "meeting:read")
        text = (
            f"{meeting.host.display_name} is inviting you to a scheduled Zoom meeting.\r\n\r\n"
            f"Topic: {meeting.content['topic']}\r\n{meeting.content['join_url']}\r\n"
        )
        return ResponseDraft.of_json(200, {"invitation": text})

    @behaviour(
        "REST API",
        "a meeting is ended by action end; no event is sent by that",
        "documented",
        source=_REFERENCE,
    )
    async def _change_status(self, request: Request, bearer: Bearer) -> ResponseDraft:
        self._meeting(
            request, bearer, "meeting:update:status", "meeting:write:meeting", "meeting:write"
        )
        if (await read_object(request)).get("action") not in {"end", "recover"}:
            raise invalid_field("action")
        return ResponseDraft(204, b"")

    def _registrants(self, request: Request, bearer: Bearer) -> ResponseDraft:
        meeting = self._meeting(
            request,
            bearer,
            "meeting:read:list_registrants",
            "meeting:read:registrant",
            "meeting:read",
        )
        return page_of(self._simulator, request, bearer, "registrants", meeting.registrants)

    async def _register(self, request: Request, bearer: Bearer) -> ResponseDraft:
        meeting = self._meeting(request, bearer, "meeting:write:registrant", "meeting:write")
        wanted = await read_object(request)
        for name in ("email", "first_name"):
            if not isinstance(wanted.get(name), str) or not wanted[name]:
                raise invalid_field(name)
        if len(meeting.registrants) >= _MOST_REGISTRANTS:
            raise ApiError(400, 300, "Registration has reached its limit.")
        registrant_id = self._simulator.ledger.random_text(22)
        known = ("email", "first_name", "last_name")
        meeting.registrants.append(
            {"id": registrant_id, "status": "approved"}
            | {name: wanted[name] for name in known if isinstance(wanted.get(name), str)}
            | {"create_time": iso_time(self._simulator.wall())}
        )
        content = meeting.content
        return ResponseDraft.of_json(
            201,
            {
                "id": content["id"],
                "registrant_id": registrant_id,
                "topic": content["topic"],
                "start_time": content["start_time"],
                "join_url": f"{content['join_url']}&tk={registrant_id}",
            },
        )

    @behaviour(
        "REST API",
        "a past meeting is one of the world with `participants`",
        "inferred",
        source=_REFERENCE,
    )
    def _past(self, request: Request, bearer: Bearer) -> ResponseDraft:
        meeting = self._past_meeting(request, bearer, "meeting:read:past_meeting", "meeting:read")
        names = ("uuid", "id", "host_id", "type", "topic", "start_time", "duration")
        content = {name: meeting.content[name] for name in names}
        return ResponseDraft.of_json(
            200,
            content
            | {
                "user_name": meeting.host.display_name,
                "user_email": meeting.host.email,
                "total_minutes": meeting.content["duration"] * len(meeting.participants),
                "participants_count": len(meeting.participants),
            },
        )

    def _participants(self, request: Request, bearer: Bearer) -> ResponseDraft:
        meeting = self._past_meeting(
            request,
            bearer,
            "meeting:read:list_past_participants",
            "report:read:list_meeting_participants",
            "meeting:read",
            "report:read",
        )
        found = [self._described(one, meeting) for one in meeting.participants]
        return page_of(self._simulator, request, bearer, "participants", found, has_numbers=False)

    def _past_meeting(self, request: Request, bearer: Bearer, *scopes: str) -> Meeting:
        meeting = self._meeting(request, bearer, *scopes)
        if not meeting.participants:
            raise ApiError(404, 3001, "This meeting is not available or ID is not valid.")
        return meeting

    def _described(self, email: str, meeting: Meeting) -> dict[str, Any]:
        user = next((one for one in self._simulator.world.users if one.email == email), None)
        return {
            "id": "" if user is None else user.id,
            "name": email.partition("@")[0] if user is None else user.display_name,
            "user_email": email,
            "join_time": meeting.content["start_time"],
            "duration": 60 * meeting.content["duration"],
        }
