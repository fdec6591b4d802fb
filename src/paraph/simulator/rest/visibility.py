"""The users whose data an access token shows."""

from __future__ import annotations

from starlette.requests import Request

from paraph.simulator.engine import Simulator
from paraph.simulator.rest.bearer import ApiError
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.ledger import Bearer
from paraph.simulator.state.world import User

_SKILLS = "github zoom/skills: rest-api"


def sees_account(bearer: Bearer) -> bool:
    """Return true if an access token shows the data of all users of its account."""
    return not bearer.user_id or any(":admin" in scope for scope in bearer.scopes)


def may_see(bearer: Bearer, user: User) -> bool:
    """Return true if an access token shows the data of a user."""
    own = sees_account(bearer) or user.id == bearer.user_id
    return own and user.account_id == bearer.account_id


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
def named_user(simulator: Simulator, request: Request, bearer: Bearer) -> User:
    """Return the user that the path of a request names.

    Raises:
        ApiError: the caller may not name users, or there is no such user in its account.
    """
    wanted = request.path_params["user_id"]
    if wanted == "me":
        found = simulator.world.user(bearer.user_id)
    elif not sees_account(bearer):
        raise ApiError(400, 4700, "Invalid access token, does not contain scopes.")
    else:
        own = [one for one in simulator.world.users if one.account_id == bearer.account_id]
        found = next((one for one in own if wanted in {one.id, one.email}), None)
    if found is None:
        raise ApiError(404, 1001, f"User does not exist: {wanted}.")
    return found
