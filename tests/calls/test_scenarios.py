"""One situation raises one exception, whichever of the four objects makes the call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calls.four_objects import NAMES, FourObjects, finished, four_objects
from paraph import (
    BeingDecided,
    CallRefused,
    LinkConflict,
    NeedsReauthorization,
    NotFound,
    ParaphError,
    ResourceErrorResponse,
    UsageError,
)
from paraph.model.phase import Phase
from scripted_zoom import Scripted
from service.app_with_zoom import NONCE

pytestmark = pytest.mark.anyio
Scenario = Callable[[FourObjects, str], Awaitable[Any]]
SUBJECT, OTHER = "tenant:jane", "tenant:ravi"


async def _claim_unknown(four: FourObjects, name: str) -> None:
    await four.do(name, "claim", "A" * 43, nonce=NONCE)


async def _claim_hostile(four: FourObjects, name: str) -> None:
    await four.do(name, "claim", "../x", nonce=NONCE)


async def _claim_long(four: FourObjects, name: str) -> None:
    await four.do(name, "claim", "A" * 5000, nonce=NONCE)


async def _claim_with_another_nonce(four: FourObjects, name: str) -> None:
    await four.do(name, "claim", await four.handoff(name, OTHER), nonce="m" * 43)


async def _claim_without_a_nonce(four: FourObjects, name: str) -> None:
    await four.do(name, "claim", await four.handoff(name, OTHER), nonce="")


async def _claim_twice(four: FourObjects, name: str) -> None:
    handoff = await four.handoff(name, OTHER)
    for _ in range(2):
        await four.do(name, "claim", handoff, nonce=NONCE)


async def _confirm_unknown(four: FourObjects, name: str) -> None:
    await four.do(name, "confirm", "A" * 43, subject=SUBJECT)


async def _confirm_hostile(four: FourObjects, name: str) -> None:
    await four.do(name, "confirm", "../../v1/audit", subject=SUBJECT)


async def _confirm_as_another(four: FourObjects, name: str) -> None:
    claim = await four.do(name, "claim", await four.handoff(name, OTHER), nonce=NONCE)
    await four.do(name, "confirm", claim, subject="tenant:mallory")


async def _confirm_without_move(four: FourObjects, name: str) -> None:
    claim = await four.do(name, "claim", await four.handoff(name, OTHER), nonce=NONCE)
    assert [SUBJECT] == [one.subject for one in claim.replaces]
    await four.do(name, "confirm", claim, subject=OTHER)


async def _decline_unknown(four: FourObjects, name: str) -> None:
    await four.do(name, "decline", "A" * 43)


async def _subject_with_control(four: FourObjects, name: str) -> None:
    await four.do(name, "request_link", "a\x00b", nonce=NONCE)


async def _subject_of_a_number(four: FourObjects, name: str) -> None:
    four.objects[name].installation(42)


async def _link_of_a_number(four: FourObjects, name: str) -> None:
    await four.do(name, "request_link", 42, nonce=NONCE)


async def _subject_too_long(four: FourObjects, name: str) -> None:
    await four.do(name, "request_link", "a" * 256, nonce=NONCE)


async def _nonce_too_short(four: FourObjects, name: str) -> None:
    await four.do(name, "request_link", SUBJECT, nonce="short")


async def _return_to_a_url(four: FourObjects, name: str) -> None:
    await four.do(name, "request_link", SUBJECT, nonce=NONCE, return_to="https://evil.example")


async def _page_of_nothing(four: FourObjects, name: str) -> None:
    await four.do(name, "installations", page_size=0)


async def _no_subject(four: FourObjects, name: str) -> None:
    four.objects[name].installation()


async def _status_of_a_stranger(four: FourObjects, name: str) -> None:
    await four.use(name, "tenant:nobody", "status")


async def _token_of_a_stranger(four: FourObjects, name: str) -> None:
    await four.use(name, "tenant:nobody", "access_token")


async def _remove_a_stranger(four: FourObjects, name: str) -> None:
    await four.use(name, "tenant:nobody", "remove")


async def _hostile_id(four: FourObjects, name: str) -> None:
    handle = four.objects[name].installation(SUBJECT, installation_id="../../audit")
    await finished(handle.access_token)


async def _id_of_another(four: FourObjects, name: str) -> None:
    known = await four.use(name, SUBJECT, "status")
    handle = four.objects[name].installation(OTHER, installation_id=known.id)
    await finished(handle.get, "/users/me")


async def _remove_the_id_of_another(four: FourObjects, name: str) -> None:
    known = await four.use(name, SUBJECT, "status")
    handle = four.objects[name].installation(OTHER, installation_id=known.id)
    await finished(handle.remove)


async def _path_with_dots(four: FourObjects, name: str) -> None:
    await four.use(name, SUBJECT, "get", "/users/../accounts")


async def _path_of_another_host(four: FourObjects, name: str) -> None:
    await four.use(name, SUBJECT, "get", "https://evil.example/v2/users/me")


async def _path_not_ascii(four: FourObjects, name: str) -> None:
    await four.use(name, SUBJECT, "get", "/users/é")


async def _call_not_covered(four: FourObjects, name: str) -> None:
    await four.use(name, SUBJECT, "delete", "/users/me")


async def _query_for_a_credential(four: FourObjects, name: str) -> None:
    query = {"include_fields": "download_access_token"}
    await four.use(name, SUBJECT, "get", "/meetings/5/recordings", query)


async def _method_of_two_lines(four: FourObjects, name: str) -> None:
    await four.use(name, SUBJECT, "request", "GET\r\nx: y", "/users/me")


async def _header_of_ours(four: FourObjects, name: str) -> None:
    headers = {"Authorization": "Bearer x"}
    await four.use(name, SUBJECT, "request", "GET", "/users/me", headers=headers)


async def _token_refused_twice(four: FourObjects, name: str) -> None:
    refusal = Scripted(401, {"code": 124, "message": "Access token is expired."})
    # Between them the refresh reads the owner.
    four.app.rest.script.extend([refusal, four.app.rest.ordinary, refusal])
    await four.use(name, SUBJECT, "get", "/users/me")


async def _removal_undecided(four: FourObjects, name: str) -> None:
    await _change(four, phase=Phase.UNDECIDED)
    try:
        await four.use(name, SUBJECT, "access_token")
    finally:
        await _change(four, phase=Phase.ACTIVE)


async def _grant_ended(four: FourObjects, name: str) -> None:
    four.app.kit.zoom.simulator.ledger.clear()
    await _change(four, seconds=-10)
    await four.use(name, SUBJECT, "get", "/users/me")


async def _change(four: FourObjects, *, seconds: int = 3000, phase: Any = None) -> None:
    """Let the access token end in so many seconds, or put the grant into a phase."""
    context = four.app.zoom.service.context
    async with context.store.transaction() as tx:
        (one,) = await tx.installations.page(context.client.client_id, subject=SUBJECT)
        tokens = replace(one.grant.tokens, access_expires_at=context.now() + seconds)
        assert await tx.grants.replace_tokens(
            one.grant.grant_id,
            tokens,
            expected_version=one.grant.token_version,
            phase=phase or one.grant.phase,
        )


# The situation, and the class, the status and further attributes of its exception.
TABLE: tuple[tuple[Scenario, type[ParaphError], int, dict[str, Any]], ...] = (
    (_claim_unknown, NotFound, 404, {}),
    (_claim_hostile, NotFound, 404, {}),
    (_claim_long, NotFound, 404, {}),
    (_claim_with_another_nonce, NotFound, 404, {}),
    (_claim_without_a_nonce, NotFound, 404, {}),
    (_claim_twice, NotFound, 404, {}),
    (_confirm_unknown, NotFound, 404, {}),
    (_confirm_hostile, NotFound, 404, {}),
    (_confirm_as_another, NotFound, 404, {}),
    (_confirm_without_move, LinkConflict, 409, {"replaces": [SUBJECT]}),
    (_decline_unknown, NotFound, 404, {}),
    (_subject_with_control, UsageError, 400, {}),
    (_subject_too_long, UsageError, 400, {}),
    (_subject_of_a_number, UsageError, 400, {}),
    (_link_of_a_number, UsageError, 400, {}),
    (_nonce_too_short, UsageError, 400, {}),
    (_return_to_a_url, UsageError, 400, {}),
    (_page_of_nothing, UsageError, 400, {}),
    (_no_subject, UsageError, 400, {}),
    (_status_of_a_stranger, NotFound, 404, {}),
    (_token_of_a_stranger, NotFound, 404, {}),
    (_remove_a_stranger, NotFound, 404, {}),
    (_hostile_id, NotFound, 404, {}),
    (_id_of_another, NotFound, 404, {}),
    (_remove_the_id_of_another, NotFound, 404, {}),
    (_path_with_dots, CallRefused, 403, {}),
    (_path_of_another_host, CallRefused, 403, {}),
    (_path_not_ascii, CallRefused, 403, {}),
    (_call_not_covered, CallRefused, 403, {}),
    (_query_for_a_credential, CallRefused, 403, {}),
    (_method_of_two_lines, CallRefused, 403, {}),
    (_header_of_ours, CallRefused, 403, {}),
    (_token_refused_twice, ResourceErrorResponse, 424, {}),
    (_removal_undecided, BeingDecided, 503, {"retry_after": 2}),
    (
        _grant_ended,
        NeedsReauthorization,
        409,
        {"reauthorize_url": "https://host.example/zoom/start", "reason": True},
    ),
)


def described(error: ParaphError, wanted: dict[str, Any]) -> dict[str, Any]:
    """The attributes of an exception that a row of the table names."""
    found = {name: getattr(error, name) for name in wanted}
    if "replaces" in found:
        found["replaces"] = [one.subject for one in found["replaces"]]
    if "reason" in found:
        found["reason"] = bool(found["reason"])
    return found


@pytest.mark.parametrize("name", NAMES)
async def test_one_situation_raises_one_exception(tmp_path: Path, name: str) -> None:
    """Class, code, status and attributes are those of the table; there is always a remedy."""
    async with four_objects(tmp_path) as four:
        await four.link(name, SUBJECT)
        found = []
        for scenario, kind, _status, attributes in TABLE:
            with pytest.raises(ParaphError) as caught:
                await scenario(four, name)
            error = caught.value
            assert error.remedy and error.public_message, scenario.__name__
            found.append(
                (scenario.__name__, type(error), error.status, described(error, attributes))
            )
            assert kind.code == error.code
        expected = [(one.__name__, kind, status, more) for one, kind, status, more in TABLE]
        assert expected == found
