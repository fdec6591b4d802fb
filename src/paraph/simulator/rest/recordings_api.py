"""The REST resources of cloud recordings, and the download of their files."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from starlette.requests import Request

from paraph.simulator.engine import Simulator
from paraph.simulator.request import origin_as
from paraph.simulator.response import ResponseDraft
from paraph.simulator.rest.bearer import ApiError, Work, guarded, invalid_field, require_scope
from paraph.simulator.rest.pages import page_of
from paraph.simulator.rest.rest_api import Resource
from paraph.simulator.rest.visibility import may_see, named_user
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.ledger import Bearer

_REFERENCE = "reference of the cloud recording API"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST = timedelta(days=31)
_MISSING = "This recording does not exist."


class RecordingsApi:
    """The cloud recordings of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def resources(self) -> list[tuple[str, str, Resource]]:
        """Return method, path and resource of each route."""
        table: list[tuple[str, str, Work]] = [
            ("GET", "/v2/users/{user_id}/recordings", self._of_user),
            ("GET", "/v2/meetings/{number}/recordings", self._of_meeting),
            ("GET", "/rec/download/{file_id}", self._download),
        ]
        return [(method, path, guarded(self._simulator, work)) for method, path, work in table]

    @behaviour(
        "REST API",
        "recordings are listed from yesterday on unless `from` names a day; at most a month",
        "seen",
        source=f"devforum 22487; {_REFERENCE}",
    )
    def _of_user(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(
            self._simulator,
            bearer,
            "cloud_recording:read:list_user_recordings",
            "cloud_recording:read:recording",
            "recording:read",
        )
        user = named_user(self._simulator, request, bearer)
        first, last = self._range(request)
        found = [
            one.content
            for one in self._simulator.recordings.all(self._origin(request))
            if one.host.id == user.id
            and first <= datetime.fromtimestamp(one.instant, tz=UTC).date() <= last
        ]
        between = {"from": first.isoformat(), "to": last.isoformat()}
        return page_of(
            self._simulator, request, bearer, "meetings", found, has_numbers=False, **between
        )

    def _range(self, request: Request) -> tuple[date, date]:
        today = datetime.fromtimestamp(self._simulator.wall(), tz=UTC).date()
        last = _day(request, "to") or today
        first = _day(request, "from") or today - timedelta(days=1)
        return max(first, last - _LONGEST), last

    @behaviour(
        "REST API",
        "a meeting without recordings is 404 with code 3301",
        "documented",
        source=_REFERENCE,
    )
    def _of_meeting(self, request: Request, bearer: Bearer) -> ResponseDraft:
        require_scope(
            self._simulator,
            bearer,
            "cloud_recording:read:list_recording_files",
            "cloud_recording:read:recording",
            "recording:read",
        )
        wanted = request.path_params["number"]
        for one in self._simulator.recordings.all(self._origin(request)):
            if wanted in {str(one.number), one.content["uuid"]} and may_see(bearer, one.host):
                return ResponseDraft.of_json(200, one.content)
        raise ApiError(404, 3301, _MISSING)

    @behaviour(
        "REST API",
        "a recording is downloaded with the access token in the Authorization header",
        "documented",
        source="devsupport 12363164278669",
    )
    def _download(self, request: Request, bearer: Bearer) -> ResponseDraft:
        found = self._simulator.recordings.file(request.path_params["file_id"])
        if found is None or not may_see(bearer, found[0].host):
            raise ApiError(404, 3301, _MISSING)
        return ResponseDraft(200, found[1], {"content-type": "application/octet-stream"})

    def _origin(self, request: Request) -> str:
        return origin_as(request, "zoom.us", self._simulator.origin)


def _day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not _DATE.fullmatch(text):
        raise invalid_field(name)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise invalid_field(name) from None
