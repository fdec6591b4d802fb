"""The export of all data that is kept of one Zoom user, for an access request.

It holds nothing of another user and no secret. Tokens are only counted. The content of an event is
included if the event names this user alone, and `exported_content` keeps what is harmless in it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from paraph.errors import MessageMalformed, NotFound, SealBroken, UnknownEncryptionKey
from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.model.event import EventFilter, EventPosition, KeptEvent
from paraph.model.grant import Grant
from paraph.model.link import Link
from paraph.operations.exported_content import Person, content_for
from paraph.storage.transaction import Transaction
from paraph.strict_json import parse_json_object

FORMAT = "paraph-user-export-1"
LEFT_OUT = (
    "access and refresh tokens: only their times are shown",
    "the content of events that name other users too, and of events whose content was deleted",
    "inside the content of events: fields that are not known to be about the event or the user",
    "inside its texts: paths of URLs, what follows a word like password, and foreign addresses",
    "the keys that seal the content of events: they are deleted with the grant",
    "stored responses of repeated API calls: sealed, deleted after a day, found by no user",
    "events that name no user: they belong to the account",
)
_BATCH = 200


async def export_user(
    context: Context, account_id: str, user_id: str, *, operator: str = ""
) -> dict[str, Any]:
    """Return all data that is kept of one Zoom user, as JSON values; times are epoch seconds.

    Args:
        context: the store, the keys and the clock.
        account_id: of Zoom, byte for byte.
        user_id: of Zoom, byte for byte.
        operator: the id of the operator's API key, for the audit log; "" for the command line.

    Raises:
        NotFound: nothing is kept of this user.
        StorageError: the database failed.
    """
    async with context.store.reading() as tx:
        found = await _collect(tx, context, account_id, user_id)
    if not any(found.values()):
        raise NotFound(
            "nothing is kept of this Zoom user",
            remedy="Compare both ids, byte for byte: paraph installations list.",
        )
    person = context.identifier(account_id, user_id)
    async with context.store.transaction() as tx:
        await audit.record(
            tx, context, "user.exported", person=person, **audit.by_operator(operator)
        )
    return {
        "format": FORMAT,
        "exported_at": context.now(),
        "client_id": context.client.client_id,
        "zoom": {"account_id": account_id, "user_id": user_id},
        **found,
        "left_out": list(LEFT_OUT),
    }


async def _collect(
    tx: Transaction, context: Context, account_id: str, user_id: str
) -> dict[str, Any]:
    identity = context.identity(account_id, user_id)
    grant = await tx.grants.find(identity)
    links = [] if grant is None else await tx.links.for_grant(grant.grant_id)
    requests = await tx.links.requests_of([link.subject for link in links])
    count = await tx.notices.last(context.tombstone_hash(identity))
    marks = context.marks_of_user(identity)
    removals = [one for each in marks if (one := await tx.removals.find_tombstone(each))]
    about = audit.entries_about(tx, context, account_id=account_id, user_id=user_id, links=links)
    entries = [one async for one in about]
    removed = {one.details["installation"] for one in entries if one.action == "grant.removed"}
    receipts = await tx.removals.receipts_of(sorted(removed - {""}))
    person = Person(user_id, "" if grant is None else grant.email)
    return {
        "grant": None if grant is None else await _grant(tx, grant),
        "links": [_link(link) for link in links],
        "link_requests": [
            {"subject": one.subject, "return_to": one.return_to, "expires_at": one.expires_at}
            for one in requests
        ],
        "events": await _events(tx, account_id, person),
        "notices_sent": None
        if count is None
        else {"sequence": count.sequence, "generation": count.generation, "last": count.last_name},
        "removals": [
            {"zoom_time": one.zoom_time, "reported_at": one.reported_at} for one in removals
        ],
        "receipts": [asdict(one) for one in receipts],
        "audit": [
            {"number": one.sequence, "at": one.at, "action": one.action, "details": one.details}
            for one in entries
        ],
    }


async def _grant(tx: Transaction, grant: Grant) -> dict[str, Any]:
    tokens, attempt = grant.tokens, await tx.refreshes.get(grant.grant_id)
    return {
        "phase": grant.phase.value,
        "reason": grant.reason,
        "email": grant.email,
        "display_name": grant.display_name,
        "scopes": sorted(tokens.scopes),
        "granted_at": grant.granted_at,
        "token_sets": grant.token_version,
        "tokens_received_at": tokens.received_at,
        "access_token_expires_at": tokens.access_expires_at,
        "has_refresh_token": tokens.refresh_token is not None,
        "api_server": tokens.api_server,
        "refresh": None
        if attempt is None
        else {"began_at": attempt.began_at, "failures": attempt.failures},
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "installation_id": link.link_id,
        "subject": link.subject,
        "phase": link.phase.value,
        "created_at": link.created_at,
        "confirmed_at": link.confirmed_at,
        "expires_at": link.expires_at,
        "return_to": link.return_to,
        "proofs": [
            {"name": one.name, "held_at": one.held_at, "confirmed_by": one.word}
            for one in link.proofs
        ],
    }


async def _events(tx: Transaction, account_id: str, person: Person) -> list[dict[str, Any]]:
    matching = EventFilter(account_id=account_id, user_id=person.user_id)
    found: list[dict[str, Any]] = []
    after: str | EventPosition = ""
    while True:
        page = await tx.events.page(matching=matching, after=after, limit=_BATCH, oldest_first=True)
        found += [await _event(tx, one, person) for one in page]
        if len(page) < _BATCH:
            return found
        after = EventPosition.of(page[-1])


async def _event(tx: Transaction, event: KeptEvent, person: Person) -> dict[str, Any]:
    shown = {
        "id": event.event_id,
        "name": event.shown_name,
        "notice": event.notice,
        "received_at": event.received_at,
        "status": event.status.value,
        "attempts": event.attempts,
        "forwarded_at": event.handed_on_at,
        "failure": event.failure,
    }
    is_alone = event.notice or event.urgent or event.concerned == (person.user_id,)
    content = await _content(tx, event, person) if is_alone else None
    return {**shown, "content": content}


async def _content(tx: Transaction, event: KeptEvent, person: Person) -> Any:
    try:
        whole = await tx.events.get(event.event_id, position=event.position)
        if whole is None or whole.body is None:
            return None
        return content_for(person, parse_json_object(whole.body))
    except (SealBroken, UnknownEncryptionKey, MessageMalformed):
        # Unreadable for paraph too, for example after a key was destroyed.
        return None
