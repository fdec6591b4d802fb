"""Who judges what in the fast lane: deliveries, forged redirects, and access tokens.

A judge looks at a request and says what the plain way would say, or leaves it to the plain way.
Here it is only found and asked: what it knows is where the plain way has it, too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any

from starlette.types import Scope

from paraph.api.access_token import MAX_BODY_BYTES
from paraph.api.app import VEND_PATH, ManagementApi
from paraph.api.problem import Whole
from paraph.config import Settings
from paraph.errors import ApiKeyMissing, ParaphError, StaleTimestamp
from paraph.lifecycle.api_key import Presented, present
from paraph.service.address import arrived_in_clear
from paraph.service.answer import Answer, Headers
from paraph.service.fast_lane import Judge, Judged, Judges, Later
from paraph.service.private import failed
from paraph.service.redirection_endpoint import RedirectionEndpoint
from paraph.service.visit import Visit
from paraph.service.webhook_endpoint import PATH, WebhookEndpoint
from paraph.storage.records import LiveRow
from paraph.zoom.webhook import FreshHeaders

_WEBHOOK = PATH.encode()
# What every server and every parser reads alike; anything odd goes the plain way.
_LENGTH = re.compile(rb"[0-9]{1,4}")
_REDIRECT = re.compile(rb"/oauth/redirect\?([!-\"$-~]*)")


def public_judges(deliveries: WebhookEndpoint, redirects: Judge) -> Judges:
    """The lane of the public side."""
    delivery = partial(_judge_delivery, deliveries)

    def judges(target: bytes) -> Judge | None:
        if target == _WEBHOOK:
            return delivery
        return redirects if target.startswith(b"/oauth/redirect?") else None

    return judges


def private_judges(api: ManagementApi, headers: Headers) -> Judges:
    """The lane of the private side.

    Args:
        api: vends.
        headers: what every answer of the private side carries.
    """

    def judges(target: bytes) -> Judge | None:
        match = VEND_PATH.fullmatch(target)
        return None if match is None else partial(_judge_vend, api, headers, match[1].decode())

    return judges


class _Delivery:
    """A delivery of the right shape and time."""

    __slots__ = ("_endpoint", "_fresh", "_headers")

    def __init__(self, endpoint: WebhookEndpoint, fresh: FreshHeaders, headers: Headers) -> None:
        self._endpoint = endpoint
        self._fresh = fresh
        self._headers = headers

    def judge(self, body: bytes) -> Answer | Later | Coroutine[Any, Any, Answer]:
        """Its MAC; then it is kept."""
        verdict = self._endpoint.judge_body(self._fresh, body)
        if isinstance(verdict, Answer):
            return verdict
        begun = self._endpoint.begin(verdict, self._headers)
        return Later(begun, self._endpoint.end) if isinstance(begun, asyncio.Future) else begun


def _judge_delivery(
    endpoint: WebhookEndpoint, scope: Scope, named: Mapping[bytes, bytes]
) -> Answer | Judged | None:
    if scope["method"] != b"POST":
        return None
    try:
        verdict = endpoint.judge_headers(scope, named)
    except StaleTimestamp:
        # One of those whose body is looked at all the same, without a hurry.
        return None
    return (
        verdict if isinstance(verdict, Answer) else _Delivery(endpoint, verdict, scope["headers"])
    )


class RedirectJudge:
    """Refuses authorization responses that are no answer to a request of this browser.

    Args:
        endpoint: judges.
        settings: for what the public side refuses before it asks the endpoint.
        headers: what every page carries.
    """

    def __init__(self, endpoint: RedirectionEndpoint, settings: Settings, headers: Headers) -> None:
        self._endpoint = endpoint
        self._trusted = settings.trusted_proxies
        self._tls = settings.public_url.startswith("https://")
        refusal = endpoint.refusal
        self._refusal = Answer(
            refusal.status_code,
            [*refusal.raw_headers, *headers],
            bytes(refusal.body),
            again=True,
        )

    def __call__(self, scope: Scope, named: Mapping[bytes, bytes]) -> Answer | None:
        """The refusal; None where there is more to say."""
        match = _REDIRECT.fullmatch(scope["target"])
        if (
            match is None
            or scope["method"] != b"GET"
            or b"content-length" in named
            or b"transfer-encoding" in named
            or (self._tls and arrived_in_clear(scope, self._trusted))
        ):
            return None
        visit = Visit({**scope, "query_string": match[1]}, self._trusted)
        return self._refusal if self._endpoint.refuses(visit) else None


class _Vend:
    """A call for an access token, by somebody who shows an API key."""

    __slots__ = ("_api", "_headers", "_installation_id", "_presented")

    def __init__(
        self, api: ManagementApi, headers: Headers, installation_id: str, presented: Presented
    ) -> None:
        self._api = api
        self._headers = headers
        self._installation_id = installation_id
        self._presented = presented

    def judge(self, body: bytes) -> Answer | Later | Coroutine[Any, Any, Answer]:
        """An access token, or the problem."""
        try:
            row = self._api.vending.ask(self._presented, self._installation_id)
        except Exception:  # noqa: BLE001 - It is asked once more, and told apart there.
            return self._later(body)
        if isinstance(row, asyncio.Future):
            return Later(row, partial(self._end, body))
        return self._decide(row, body)

    def _end(
        self, body: bytes, row: asyncio.Future[LiveRow]
    ) -> Answer | Coroutine[Any, Any, Answer]:
        if row.cancelled() or row.exception() is not None:
            return self._later(body)
        return self._decide(row.result(), body)

    def _decide(self, row: LiveRow, body: bytes) -> Answer | Coroutine[Any, Any, Answer]:
        call = self._presented, self._installation_id, body
        try:
            whole = self._api.vending.at_hand(row, *call)
        except ParaphError as error:
            whole = self._api.problem(error)
        except Exception as error:  # noqa: BLE001 - The last net: a problem, never a stack trace.
            whole = failed("POST", error)
        return self._later(body) if whole is None else self._answer(whole)

    async def _later(self, body: bytes) -> Answer:
        try:
            whole = await self._api.vend(self._presented, self._installation_id, body)
        except Exception as error:  # noqa: BLE001 - The same net.
            whole = failed("POST", error)
        return self._answer(whole)

    def _answer(self, whole: Whole) -> Answer:
        return Answer(whole.status, [*whole.headers, *self._headers], whole.body)


def _judge_vend(
    api: ManagementApi,
    headers: Headers,
    installation_id: str,
    scope: Scope,
    named: Mapping[bytes, bytes],
) -> Judged | None:
    # Never there twice: the server has refused that, as it has checked the grammar.
    length = named.get(b"content-length", b"")
    if scope["method"] != b"POST" or not _LENGTH.fullmatch(length) or int(length) > MAX_BODY_BYTES:
        return None
    try:
        presented = present(scope["headers"])
    except ApiKeyMissing:
        return None
    return _Vend(api, headers, installation_id, presented)
