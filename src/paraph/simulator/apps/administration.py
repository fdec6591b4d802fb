"""Changes that administrators and Zoom make to apps and users with live tokens.

Unlike `PUT /_simulator/world`, they keep the issued tokens. So an app can meet a disabled client, a
withdrawn approval, a deleted user, or changed scopes.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from starlette.requests import Request

from paraph.errors import NotFound, UsageError
from paraph.simulator.engine import Simulator
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.world import Account, App, World, find_contradictions


class Order(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The body of a write; an unknown key is an error, which names it."""


class AppOrder(Order):
    """An order that names an app."""

    client_id: str


class ApprovalOrder(AppOrder):
    """The decision of an account's administrator about an app."""

    account_id: str
    approved: bool


class UserOrder(Order):
    """The new account of a user.

    Attributes:
        account_id: the account; an unknown one is added to the world.
        tokens: whether the user's tokens stay alive.
    """

    account_id: str
    tokens: Literal["kept", "ended"] = "kept"


class Administration:
    """The control calls that change apps and users."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def decide_approval(self, _request: Request, order: ApprovalOrder) -> Any:
        """PUT /approvals: an administrator approves an app, or withdraws the approval (4738).

        Raises:
            NotFound: there is no such app or account.
        """
        app = self._simulator.world.known_app(order.client_id)
        if self._simulator.world.account(order.account_id) is None:
            raise NotFound("there is no account with this account_id")
        self._simulator.app_status.approvals[app.client_id, order.account_id] = order.approved
        return msgspec.to_builtins(order)

    async def change_app(self, request: Request, fields: dict[str, Any]) -> Any:
        """PATCH /apps/{client_id}: disable the app (4717), or change its settings in place.

        Raises:
            NotFound: there is no such app.
            UsageError: a field cannot be changed, or the result contradicts the world.
            msgspec.ValidationError: a field is unknown or of the wrong type.
        """
        app = self._simulator.world.known_app(request.path_params["client_id"])
        disabled = fields.pop("disabled", app.client_id in self._simulator.app_status.disabled)
        if not isinstance(disabled, bool):
            raise UsageError("disabled must be true or false")
        if "client_id" in fields or "kind" in fields:
            raise UsageError("client_id and kind of an app cannot be changed")
        changed = msgspec.convert({**msgspec.to_builtins(app), **fields}, App)
        problems = find_contradictions(
            World(accounts=self._simulator.world.accounts, apps=[changed])
        )
        if problems:
            raise UsageError("; ".join(problems))
        for name in fields:
            setattr(app, name, getattr(changed, name))
        self._simulator.app_status.disabled.discard(app.client_id)
        if disabled:
            self._simulator.app_status.disabled.add(app.client_id)
        return {**msgspec.to_builtins(app), "disabled": disabled}

    @behaviour(
        "accounts",
        "a user who moves to another account keeps the user id",
        "documented",
        source="PUT /accounts/{accountId}/users/{userId}/account",
    )
    @behaviour(
        "accounts",
        "the tokens of a moved user stay alive and belong to the new account; no event is sent",
        "unknown",
    )
    async def change_user(self, request: Request, order: UserOrder) -> Any:
        """PATCH /users/{user_id}: move the user to another account.

        Raises:
            NotFound: there is no such user.
            UsageError: the account id is empty.
        """
        simulator = self._simulator
        user = simulator.world.known_user(request.path_params["user_id"])
        if not order.account_id:
            raise UsageError("account_id must be the id of an account")
        if simulator.world.account(order.account_id) is None:
            simulator.world.accounts.append(Account(id=order.account_id))
        simulator.ledger.move(user.id, order.account_id, keep_tokens=order.tokens == "kept")
        user.account_id = order.account_id
        return msgspec.to_builtins(user)

    async def delete_user(self, request: Request, _order: None) -> Any:
        """DELETE /users/{user_id}: delete the user; the tokens then get error 4735.

        Raises:
            NotFound: there is no such user.
        """
        world = self._simulator.world
        world.users.remove(world.known_user(request.path_params["user_id"]))
        return {}
