"""`/v2/users/…`: whose token this is. Errors are `{"code", "message"}` (documented)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from paraph.simulator.engine import Simulator
from paraph.simulator.faults import Answer
from paraph.simulator.ledger import Grant
from paraph.simulator.world import User

_USER_SCOPES = {"user:read:user", "user:read", "user:read:user:admin", "user:read:admin"}


class RestApi:
    """The REST resources of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def user(self, request: Request) -> Answer:
        """GET /v2/users/{id}: `me`, or a real id for admin scopes (documented)."""
        return self._simulator.faults.spoil("user", self._user(request))

    def _user(self, request: Request) -> Answer:
        grant = self._grant(request)
        if isinstance(grant, Answer):
            return grant
        if not _USER_SCOPES.intersection(grant.scopes):
            return _error(
                400, 4711, "Invalid access token, does not contain scopes:[user:read:user]."
            )
        wanted = request.path_params["user_id"]
        if wanted != "me" and not any(scope.endswith(":admin") for scope in grant.scopes):
            return _error(400, 4700, "Invalid access token, does not contain scopes.")
        user = self._simulator.world.user(grant.user_id if wanted == "me" else wanted)
        if user is None or user.account_id != grant.account_id:
            return _error(404, 1001, f"User does not exist: {wanted}.")
        if self._simulator.faults.take("user_of_another"):
            user = next((one for one in self._simulator.world.users if one.id != user.id), user)
        return Answer.of_json(200, _describe(user))

    def _grant(self, request: Request) -> Grant | Answer:
        if "access_token" in request.query_params:
            return _error(
                401,
                124,
                "Invalid access token, this access token is not supported as query "
                "parameter string.",
            )
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return _error(401, 124, "Invalid access token.")
        grant, why = self._simulator.ledger.by_access_token(token)
        if grant is None:
            message = "Access token is expired." if why == "expired" else "Invalid access token."
            return _error(401, 124, message)
        return grant


def _error(status: int, code: int, message: str) -> Answer:
    return Answer.of_json(status, {"code": code, "message": message})


def _describe(user: User) -> dict[str, Any]:
    """The fields of `users/me` that clients read (documented)."""
    first, _, last = user.display_name.partition(" ")
    admin = user.role == "admin"
    return {
        "id": user.id,
        "first_name": first,
        "last_name": last,
        "display_name": user.display_name,
        "email": user.email,
        "type": 2,
        "role_name": "Admin" if admin else "Member",
        "role_id": "1" if admin else "2",
        "pmi": 1234567890,
        "use_pmi": False,
        "timezone": "Europe/Lisbon",
        "verified": 1,
        "dept": "",
        "created_at": "2024-02-01T09:00:00Z",
        "user_created_at": "2024-02-01T09:00:00Z",
        "last_login_time": "2026-01-15T09:00:00Z",
        "group_ids": [],
        "im_group_ids": [],
        "jid": f"{user.id.lower()}@xmpp.zoom.us",
        "language": "en-US",
        "phone_country": "",
        "phone_number": "",
        "status": "active",
        "account_id": user.account_id,
        "account_number": 100200300,
        "cluster": "us02",
        "login_types": [1],
    }
