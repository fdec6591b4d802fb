"""Link requests: the host asks to link its signed-in user; one finished flow uses a request up.

The code of a link request stands in a URL. Mail filters, chat previews, virus scanners and
prefetching browsers open URLs before people do, with any headers. So opening it does not use it up.
At most one installation results: the first flow to finish takes the request, in the transaction
that adds the link.
"""

from __future__ import annotations

import re

from paraph.errors import Conflict, NotFound, UsageError
from paraph.installs.pending_authorization import LinkWish, demand_wish_form
from paraph.lifecycle.context import Context
from paraph.model.link import LinkRequest
from paraph.oauth.authorization_request import LIFETIME_SECONDS
from paraph.sealing.key_ring import secret_hash
from paraph.secret import Secret
from paraph.storage.scope import NOTHING_READ
from paraph.storage.transaction import Transaction

REQUEST_SECONDS = 600
# A browser that begins in the last second of a link request still has a flow's full lifetime.
FINISH_SECONDS = LIFETIME_SECONDS + 60
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


async def request_link(
    context: Context, *, subject: str, challenge: str, return_to: str = ""
) -> tuple[Secret, int]:
    """Store the host's request to link its signed-in user.

    Args:
        context: the app's store and clock.
        subject: the local account, opaque, 1 to 255 characters.
        challenge: S256 of a nonce in that user's session with the host (43 characters).
        return_to: an identifier of the host's own, returned to it at the end; never a URL.

    Returns:
        The one-use code for `/install?request=`, and when it expires.

    Raises:
        UsageError: an argument does not have its form.
    """
    demand_wish_form(subject, return_to)
    if not _CHALLENGE.fullmatch(challenge):
        raise UsageError("challenge must be the S256 of a nonce: 43 base64url characters")
    code = context.one_use_code()
    expires_at = context.now() + REQUEST_SECONDS
    async with context.store.transaction(NOTHING_READ) as tx:
        await tx.links.add_request(
            LinkRequest(secret_hash(code), subject, challenge, return_to, expires_at)
        )
    return code, expires_at


async def open_request(context: Context, code: Secret) -> LinkWish:
    """Read a link request without using it up; each opening begins a separate flow.

    Raises:
        NotFound: it is unknown, used or expired.
    """
    async with context.store.reading() as tx:
        request = await tx.links.peek_request(secret_hash(code), now=context.now())
    if request is None:
        raise NotFound("no live link request under this code")
    return LinkWish(request.subject, request.challenge, request.return_to, request.request_hash)


async def demand_unused(context: Context, wish: LinkWish) -> None:
    """Refuse a flow whose link request another flow used up, before Zoom is called.

    Raises:
        Conflict: the link request was used up.
    """
    if wish.request_hash is None:
        return
    async with context.store.reading() as tx:
        before = context.now() - FINISH_SECONDS
        if await tx.links.peek_request(wish.request_hash, now=before) is None:
            raise Conflict("the link request was used by another flow")


async def take_request(tx: Transaction, context: Context, wish: LinkWish) -> bool:
    """Use up the link request of a finished flow. Return False if another flow was first."""
    if wish.request_hash is None:
        return True
    before = context.now() - FINISH_SECONDS
    return await tx.links.take_request(wish.request_hash, now=before) is not None
