"""The REST resources: users and meetings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request

from paraph.simulator.engine import Simulator
from paraph.simulator.response import ResponseDraft
from paraph.simulator.rest import profiles
from paraph.simulator.rest.bearer import ApiError, Work, guarded, read_object, require_scope
from paraph.simulator.rest.pages import page_of
from paraph.simulator.rest.visibility import may_see, named_user
from paraph.simulator.state import meetings
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.ledger import Bearer

Resource = Callable[[Request], Awaitable[ResponseDraft]]


class RestApi:
    """The REST resources of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def resources(self) -> list[tuple[str, str, Resource]]:
        """Return method, path and resource of each route."""
        table: list[tuple[str, str, Work]] = [
            ("GET", "/v2/users", self._users),
            ("GET", "/v2/users/{user_id}", self._user),
            ("GET", "/v2/users/{user_id}/meetings", self._meetings),
            ("POST", "/v2/users/{user_id}/meetings", self._create_meeting),
            ("GET", "/v2/meetings/{number}", self._meeting),
            ("PATCH", "/v2/meetings/{number}", self._change_meeting),
            ("DELETE", "/v2/meetings/{number}", self._delete_meeting),
        ]
        return [(method, path, guarded(self._simulator, work)) for method, path, work in table]

    @behaviour(
        "REST API",
        "an unknown path is 404 with code 2300, also without an access token",
        "seen",
        source="reports of wrong base URLs in Zoom's forum",
    )
    async def unknown(self, _request: Request) -> ResponseDraft:
        """Refuse a path under /v2/ that no resource has."""
        return ApiError(404, 2300, "This API endpoint is not recognized.").response()

    def _user(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(self._simulator, bearer, "user:read:user", "user:read")
        user = named_user(self._simulator, request, bearer)
        if self._simulator.faults.take("user_of_another"):
            user = next((one for one in self._simulator.world.users if one.id != user.id), user)
        return self._simulator.faults.spoil(
            "user", ResponseDraft.of_json(200, profiles.describe(user))
        )

    def _users(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(self._simulator, bearer, "user:read:list_users", "user:read:admin")
        found = [
            profiles.describe_in_list(user)
            for user in self._simulator.world.users
            if user.account_id == bearer.account_id
        ]
        return page_of(self._simulator, request, bearer, "users", found)

    def _meetings(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(
            self._simulator,
            bearer,
            "meeting:read:list_meetings",
            "meeting:read:meeting",
            "meeting:read",
        )
        user = named_user(self._simulator, request, bearer)
        found = [meetings.describe_in_list(one) for one in self._simulator.meetings.of(user)]
        return page_of(self._simulator, request, bearer, "meetings", found)

    async def _create_meeting(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(self._simulator, bearer, "meeting:write:meeting", "meeting:write")
        user = named_user(self._simulator, request, bearer)
        meeting = self._simulator.meetings.create(user, await read_object(request))
        return ResponseDraft.of_json(201, meeting.content)

    def _meeting(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(self._simulator, bearer, "meeting:read:meeting", "meeting:read")
        return ResponseDraft.of_json(200, named_meeting(self._simulator, request, bearer).content)

    async def _change_meeting(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(
            self._simulator,
            bearer,
            "meeting:update:meeting",
            "meeting:write:meeting",
            "meeting:write",
        )
        meeting = named_meeting(self._simulator, request, bearer)
        self._simulator.meetings.change(meeting, await read_object(request))
        return ResponseDraft(204, b"")

    def _delete_meeting(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(
            self._simulator,
            bearer,
            "meeting:delete:meeting",
            "meeting:write:meeting",
            "meeting:write",
        )
        self._simulator.meetings.delete(named_meeting(self._simulator, request, bearer))
        return ResponseDraft(204, b"")


@behaviour(
    "REST API",
    "an unknown meeting is 404 with code 3001",
    "documented",
    source="developers.zoom.us/docs/api/errors",
)
def named_meeting(simulator: Simulator, request: Request, bearer: Bearer) -> meetings.Meeting:
    """Return the meeting that the path of a request names.

    Raises:
        ApiError: there is no such meeting that the caller may see.
    """
    number = request.path_params["number"]
    meeting = simulator.meetings.find(number)
    if meeting is None or not may_see(bearer, meeting.host):
        raise ApiError(404, 3001, f"Meeting does not exist: {number[:40]}.")
    return meeting
