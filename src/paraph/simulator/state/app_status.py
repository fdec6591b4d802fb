"""Decisions about apps while the simulator runs: disabled, approved, withdrawn.

The world lists accounts, users and apps; this records decisions about them. It is discarded with
the world.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.world import World


@dataclass(slots=True)
class AppStatus:
    """The state of apps at Zoom and in the accounts.

    Attributes:
        disabled: client ids of apps that Zoom has disabled (4717).
        approvals: the decision of an account's administrator, by client id and account id.
    """

    disabled: set[str] = field(default_factory=set)
    approvals: dict[tuple[str, str], bool] = field(default_factory=dict)

    def is_withdrawn(self, client_id: str, account_id: str) -> bool:
        """Return true if an approval was withdrawn: tokens given under it are dead (4738)."""
        return self.approvals.get((client_id, account_id)) is False

    @behaviour(
        "accounts and approval",
        "where an account requires pre-approval, consent ends on Zoom's page and never returns",
        "documented",
        source="developers.zoom.us/docs/integrations/end-user-auth",
    )
    @behaviour(
        "accounts and approval",
        "renewing a withdrawn approval makes the older tokens valid again",
        "unknown",
    )
    def may_be_added(self, world: World, client_id: str, account_id: str) -> bool:
        """Return true if users of an account may add an app: approved, or without pre-approval."""
        account = world.account(account_id)
        required = account is not None and account.preapproval_required
        return self.approvals.get((client_id, account_id), not required)
