"""Keeps the outcome of an authorization response, to repeat it to the browser that brought it.

People click twice, reload, and go back. The first request uses the state up, so a second one
cannot be processed; for a minute it gets the outcome of the first. A browser needs the sealed
cookie of the flow to get it; the URL alone is not enough. The code is not exchanged again.

The outcome is sealed and kept in the database, not in a cookie. Browsers drop the response to the
first of two clicks together with its cookies. Another replica may also receive the second request
while the first one runs.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from paraph.errors import Conflict, StorageError
from paraph.installs.pending_authorization import OUTCOME_SECONDS, used_state_hash
from paraph.lifecycle.context import Context
from paraph.model.phase import Phase
from paraph.sealing.key_ring import secret_hash
from paraph.secret import Secret
from paraph.storage.scope import NOTHING_READ
from paraph.storage.transaction import Transaction

# Longer than the exchange, the user request and the writes of a failover usually take.
RUNNING_SECONDS = 60
_OK = 200


class StateUsed(Conflict):
    """The state of an authorization response was used before."""

    def __init__(self, detail: str = "the state was used before") -> None:
        super().__init__(detail)


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """The outcome of one flow.

    Attributes:
        kind: `installed`, `handoff`, or `failed` with a page.
        installation_id: the installation, if installations are not linked to a host.
        handoff: the code for the host, with `return_to` for the host's own use.
        status, title, lines: the page of a failure.
        reason: `access_denied` if the person refused at Zoom.
    """

    kind: Literal["installed", "handoff", "failed"]
    installation_id: str = ""
    handoff: str = ""
    return_to: str = ""
    status: int = 0
    title: str = ""
    lines: tuple[str, ...] = ()
    reason: str = ""

    def __repr__(self) -> str:
        # The handoff is a secret.
        return f"Outcome({self.kind})"


async def reserve_outcome(tx: Transaction, context: Context, state: Secret) -> None:
    """Record that the request of a state is running, in the transaction that uses it up."""
    now = context.now()
    await tx.idempotency.begin(
        _outcome_id(state),
        request_hash=b"",
        now=now,
        expires_at=now + RUNNING_SECONDS,
        abandoned_before=now,
    )


async def keep_outcome(
    tx: Transaction, context: Context, state: Secret, outcome: Outcome, *, replaces: bool = True
) -> None:
    """Keep the outcome for a minute."""
    await tx.idempotency.finish(
        _outcome_id(state),
        status=_OK,
        body=msgspec.json.encode(outcome),
        expires_at=context.now() + OUTCOME_SECONDS,
        replaces=replaces,
    )


async def keep_failure(context: Context, state: Secret, outcome: Outcome) -> bool:
    """Keep the outcome of a flow without installation. Return False if it was not kept."""
    try:
        async with context.store.transaction(NOTHING_READ) as tx:
            # An installation may be stored although its commit was not confirmed: it stays.
            await keep_outcome(tx, context, state, outcome, replaces=False)
    except StorageError:
        return False
    return True


async def find_outcome(
    context: Context, state: Secret
) -> Outcome | Literal["running", "over", "unused"] | None:
    """Find the outcome of a used state.

    Returns:
        The outcome if it is still true. `running` while the first request is being processed.
        `over` if the installation was removed, or the handoff was claimed or has expired.
        `unused` if no request has used the state up. None if the minute has passed.

    Raises:
        StorageError: the database did not respond.
    """
    now = context.now()
    async with context.store.reading() as tx:
        kept = await tx.idempotency.read(_outcome_id(state), now=now)
        if kept is None:
            is_used = await tx.used_states.is_used(used_state_hash(state))
            return None if is_used else "unused"
        if kept.body is None:
            return "running"
        outcome = msgspec.json.decode(kept.body, type=Outcome)
        if outcome.kind == "installed":
            found = await tx.installations.get(outcome.installation_id)
            is_true = found is not None and found.grant.phase is Phase.ACTIVE
        elif outcome.kind == "handoff":
            code = secret_hash(Secret(outcome.handoff))
            is_true = await tx.links.find_handoff(code, now=now) is not None
        else:
            is_true = True
    return outcome if is_true else "over"


def _outcome_id(state: Secret) -> str:
    return f"outcome/{used_state_hash(state).hex()}"
