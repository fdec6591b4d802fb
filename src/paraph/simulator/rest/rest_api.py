"""The REST resources: users and meetings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request

from paraph.simulator.engine import Simulator
from paraph.simulator.response import ResponseDraft
from paraph.simulator.rest import profiles
from paraph.simulator.rest.bearer import ApiError, Work, guarded, read_object, require_scope
from paraph.simulator.state import meetings
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.ledger import Bearer
from paraph.simulator.state.world import User

_SKILLS = "github zoom/skills: rest-api"
_PAGE_SIZE = 30

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
        user = self._named_user(request, bearer)
        if self._simulator.faults.take("user_of_another"):
            user = next((one for one in self._simulator.world.users if one.id != user.id), user)
        return self._simulator.faults.spoil(
            "user", ResponseDraft.of_json(200, profiles.describe(user))
        )

    @behaviour(
        "REST API",
        "a list has pages of 30 entries, by page_number",
        "documented",
        source=_SKILLS,
    )
    def _users(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(self._simulator, bearer, "user:read:list_users", "user:read:admin")
        found = [
            profiles.describe_in_list(user)
            for user in self._simulator.world.users
            if user.account_id == bearer.account_id
        ]
        return _page(request, "users", found)

    def _meetings(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(
            self._simulator,
            bearer,
            "meeting:read:list_meetings",
            "meeting:read:meeting",
            "meeting:read",
        )
        user = self._named_user(request, bearer)
        found = [meetings.describe_in_list(one) for one in self._simulator.meetings.of(user)]
        return _page(request, "meetings", found)

    async def _create_meeting(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(self._simulator, bearer, "meeting:write:meeting", "meeting:write")
        user = self._named_user(request, bearer)
        meeting = self._simulator.meetings.create(user, await read_object(request))
        return ResponseDraft.of_json(201, meeting.content)

    def _meeting(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(self._simulator, bearer, "meeting:read:meeting", "meeting:read")
        return ResponseDraft.of_json(200, self._named_meeting(request, bearer).content)

    async def _change_meeting(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(
            self._simulator,
            bearer,
            "meeting:update:meeting",
            "meeting:write:meeting",
            "meeting:write",
        )
        meeting = self._named_meeting(request, bearer)
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
        self._simulator.meetings.delete(self._named_meeting(request, bearer))
        return ResponseDraft(204, b"")

    @behaviour(
        "REST API",
        "an app that a user added names them `me`; their own id is refused with code 4700",
        "documented",
        source=_SKILLS,
    )
    @behaviour(
        "REST API",
        "a server-to-server app names users by id or e-mail address, never `me`",
        "documented",
        source=_SKILLS,
    )
    def _named_user(self, request: Request, bearer: Bearer) -> User:
        wanted = request.path_params["user_id"]
        if wanted == "me":
            found = self._simulator.world.user(bearer.user_id)
        elif bearer.user_id and not any(":admin" in scope for scope in bearer.scopes):
            raise ApiError(400, 4700, "Invalid access token, does not contain scopes.")
        else:
            found = self._in_account(wanted, bearer.account_id)
        if found is None:
            raise ApiError(404, 1001, f"User does not exist: {wanted}.")
        return found

    def _in_account(self, wanted: str, account_id: str) -> User | None:
        return next(
            (
                user
                for user in self._simulator.world.users
                if user.account_id == account_id and wanted in {user.id, user.email}
            ),
            None,
        )

    @behaviour(
        "REST API",
        "an unknown meeting is 404 with code 3001",
        "documented",
        source="developers.zoom.us/docs/api/errors",
    )
    def _named_meeting(self, request: Request, bearer: Bearer) -> meetings.Meeting:
        number = request.path_params["number"]
        meeting = self._simulator.meetings.find(number)
        same_account = meeting is not None and meeting.host.account_id == bearer.account_id
        whole_account = not bearer.user_id or any(":admin" in one for one in bearer.scopes)
        if (
            meeting is None
            or not same_account
            or not (whole_account or meeting.host.id == bearer.user_id)
        ):
            raise ApiError(404, 3001, f"Meeting does not exist: {number[:40]}.")
        return meeting


def _page(request: Request, name: str, found: list[dict[str, Any]]) -> ResponseDraft:
    size = _count(request.query_params.get("page_size"), default=_PAGE_SIZE, most=300)
    number = _count(request.query_params.get("page_number"), default=1, most=100_000)
    start = (number - 1) * size
    return ResponseDraft.of_json(
        200,
        {
            "page_count": max(1, -(-len(found) // size)),
            "page_number": number,
            "page_size": size,
            "total_records": len(found),
            "next_page_token": "",
            name: found[start : start + size],
        },
    )


def _count(text: str | None, *, default: int, most: int) -> int:
    if text is None or not (text.isascii() and text.isdecimal() and len(text) < 8):
        return default
    return min(max(int(text), 1), most)
