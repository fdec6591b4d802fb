"""Who judges what in the fast lane: deliveries, forged redirects, and access tokens.

A judge looks at a request and says what the plain way would say, or leaves it to the plain way.
Here it is only found and asked: what it knows is where the plain way has it, too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

from starlette.types import Scope

from paraph.answer import Answer, Fields, Headers
from paraph.api.access_token import MAX_BODY_BYTES
from paraph.api.app import VEND_PATH, ManagementApi
from paraph.api.own_headers import holds_own_header
from paraph.config import Settings
from paraph.errors import ApiKeyMissing, ParaphError, StaleTimestamp, StorageError
from paraph.lifecycle.api_key import Presented, parse_authorization
from paraph.service.fast_lane import Judge, Judges, Request
from paraph.service.private import failed
from paraph.service.proxy_watch import ProxyWatch
from paraph.service.public import in_clear_response
from paraph.service.redirection_endpoint import RedirectionEndpoint
from paraph.service.visit import Visit
from paraph.service.webhook_endpoint import PATH, WebhookEndpoint
from paraph.storage.records import LiveRow, Outcome

_WEBHOOK = PATH.encode()
# What every server and every parser reads alike; anything odd goes the plain way.
_LENGTH_DIGITS = 4
_REDIRECT = re.compile(rb"/oauth/redirect\?([!-\"$-~]*)")


def public_judges(deliveries: WebhookEndpoint, redirects: Judge) -> Judges:
    """The lane of the public side."""
    delivery = DeliveryJudge(deliveries)

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
    vend = VendJudge(api, headers)

    def judges(target: bytes) -> Judge | None:
        return vend if target.endswith(b"/access-token") else None

    return judges


class DeliveryJudge:
    """Takes deliveries in, and refuses what is none."""

    def __init__(self, endpoint: WebhookEndpoint) -> None:
        self._endpoint = endpoint

    def __call__(self, scope: Scope, named: Mapping[bytes, bytes]) -> Answer | Request | None:
        """Shape and time."""
        if scope["method"] != b"POST":
            return None
        try:
            verdict = self._endpoint.judge_headers(scope, named)
        except StaleTimestamp:
            # One of those whose body is looked at all the same, without a hurry.
            return None
        if isinstance(verdict, Answer):
            return verdict
        return Request(self._judge_whole, (verdict, scope["headers"]))

    def _judge_whole(self, requests: Sequence[Request]) -> None:
        """The MAC of each; then those that are good are kept. One that fails ends alone."""
        good = []
        for request in requests:
            try:
                verdict = self._endpoint.judge_body(request.head[0], request.body)
            except Exception as error:  # noqa: BLE001 - Told apart there.
                verdict = self._endpoint.failed(error)
            if isinstance(verdict, Answer):
                request.answer(verdict)
            else:
                good.append((request, verdict))
        for request, delivery in good:
            begun = self._endpoint.begin(delivery, request.head[1])
            if isinstance(begun, Answer):
                request.answer(begun)
            elif isinstance(begun, asyncio.Future):
                # No task for each: thousands wait for one commit.
                request.is_begun = True
                begun.add_done_callback(partial(self._end, request))
            else:
                request.answer_by(begun)

    def _end(self, request: Request, kept: asyncio.Future[Outcome]) -> None:
        request.answer(self._endpoint.end(kept))


class RedirectJudge:
    """Refuses authorization responses that are no answer to a request of this browser.

    One without `state` proves nothing either, and is answered by a redirect to a new flow.

    Args:
        endpoint: judges.
        settings: for whose forwarded addresses are believed.
        headers: what every page carries.
        proxies: what the public side asks before it asks the endpoint.
    """

    def __init__(
        self,
        endpoint: RedirectionEndpoint,
        settings: Settings,
        headers: Headers,
        proxies: ProxyWatch,
    ) -> None:
        self._endpoint = endpoint
        self._trusted = settings.trusted_proxies
        self._proxies = proxies
        self._in_clear = Answer.of(in_clear_response(), *headers, again=True)
        self._written_once = {
            id(one): Answer.of(one, *headers, again=True) for one in endpoint.written_once
        }

    def __call__(self, scope: Scope, named: Mapping[bytes, bytes]) -> Answer | None:
        """The refusal; None where there is more to say."""
        match = _REDIRECT.fullmatch(scope["target"])
        if (
            match is None
            or scope["method"] != b"GET"
            or b"content-length" in named
            or b"transfer-encoding" in named
        ):
            return None
        if self._proxies.refuses(scope) is not None:
            return self._in_clear
        visit = Visit({**scope, "query_string": match[1]}, self._trusted)
        found = self._endpoint.standing(visit)
        return None if found is None else self._written_once[id(found)]


class VendJudge:
    """Answers calls for access tokens, by whoever shows an API key.

    Args:
        api: vends.
        headers: what every answer of the private side carries.
    """

    def __init__(self, api: ManagementApi, headers: Headers) -> None:
        self._api = api
        self._headers = headers
        # Of tokens there is one kind of answer.
        self._dressed = lru_cache(maxsize=8)(self._dress)

    def __call__(self, scope: Scope, named: Mapping[bytes, bytes]) -> Request | None:
        """Its shape; whatever is odd about it is said on the plain way."""
        match = VEND_PATH.fullmatch(scope["target"])
        length = named.get(b"content-length", b"")
        if (
            match is None
            or scope["method"] != b"POST"
            # Nothing is there twice: neither a length nor a key.
            or len(named) != len(scope["headers"])
            or holds_own_header(named)
            or len(length) > _LENGTH_DIGITS
            or not length.isdigit()
            or int(length) > MAX_BODY_BYTES
        ):
            return None
        try:
            presented = parse_authorization(named.get(b"authorization", b""))
        except ApiKeyMissing:
            return None
        return Request(self._judge_whole, (presented, match[1].decode()))

    def _judge_whole(self, requests: Sequence[Request]) -> None:
        """Ask for all of them at once: all of each is here."""
        try:
            rows = self._api.vending.ask([request.head for request in requests])
        except Exception as error:  # noqa: BLE001 - Told apart there.
            if len(requests) == 1:
                self._fail(requests, error)
            else:
                # One of them may be the reason: each is asked about alone.
                for request in requests:
                    self._judge_whole([request])
            return
        if isinstance(rows, asyncio.Future):
            for request in requests:
                request.is_begun = True
            rows.add_done_callback(partial(self._go_on, requests))
        else:
            self._decide(requests, rows)

    def _go_on(self, requests: Sequence[Request], rows: asyncio.Future[Sequence[LiveRow]]) -> None:
        if rows.cancelled():
            self._fail(requests, StorageError("the database was closed"))
        elif (error := rows.exception()) is not None:
            self._fail(requests, error)
        else:
            self._decide(requests, rows.result())

    def _decide(self, requests: Sequence[Request], rows: Sequence[LiveRow]) -> None:
        at_hand = self._api.vending.at_hand
        for request, row in zip(requests, rows, strict=True):
            presented, installation_id = request.head
            try:
                answer = at_hand(row, presented, installation_id, request.body)
            except Exception as error:  # noqa: BLE001 - Told apart there.
                answer = self._failure(error)
            if answer is None:
                request.answer_by(self._vend(presented, installation_id, request.body))
            else:
                request.answer(self._in_full(answer))

    async def _vend(self, presented: Presented, installation_id: str, body: bytes) -> Answer:
        """The same where Zoom has to be asked first."""
        try:
            answer = await self._api.vend(presented, installation_id, body)
        except Exception as error:  # noqa: BLE001 - The last net.
            answer = self._failure(error)
        return self._in_full(answer)

    def _fail(self, requests: Sequence[Request], error: BaseException) -> None:
        answer = self._in_full(self._failure(error))
        for request in requests:
            request.answer(answer)

    def _failure(self, error: BaseException) -> Answer:
        """A problem, never a stack trace."""
        return self._api.problem(error) if isinstance(error, ParaphError) else failed("POST", error)

    def _in_full(self, answer: Answer) -> Answer:
        return Answer(answer.status, self._dressed(answer.fields), answer.body)

    def _dress(self, fields: Fields) -> Fields:
        return Fields(*fields.headers, *self._headers)
