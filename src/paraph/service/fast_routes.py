"""The checks of the fast path: for deliveries, forged redirects and access tokens.

Each check looks at a request and returns the response of the ASGI path, or leaves the request to
the ASGI path. This module only finds and calls the checks: both paths share their code.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

from starlette.types import Scope

from paraph.api.access_token import MAX_BODY_BYTES
from paraph.api.app import VEND_PATH, ManagementApi
from paraph.api.proxy import holds_own_header
from paraph.endpoints.browser_request import Visit
from paraph.endpoints.redirection_endpoint import RedirectionEndpoint
from paraph.endpoints.routes import in_clear_response
from paraph.endpoints.webhook_endpoint import PATH, WebhookEndpoint
from paraph.errors import ApiKeyMissing, ParaphError, StaleTimestamp, StorageError
from paraph.http.fast_path.protocol import Judge, Judges, Request
from paraph.http.proxy_watch import ProxyWatch
from paraph.http.response import Answer, Fields, Headers
from paraph.lifecycle.api_key import Presented, parse_authorization
from paraph.model.records import LiveRow, Outcome
from paraph.service.private import failed
from paraph.settings.model import Settings

_WEBHOOK = PATH.encode()
# Every server and every parser reads these alike; anything unusual takes the ASGI path.
_LENGTH_DIGITS = 4
_REDIRECT = re.compile(rb"/oauth/redirect\?([!-\"$-~]*)")


def public_judges(deliveries: WebhookEndpoint, redirects: Judge) -> Judges:
    """Return the fast path's checks of the public side."""
    delivery = DeliveryJudge(deliveries)

    def judges(target: bytes) -> Judge | None:
        if target == _WEBHOOK:
            return delivery
        return redirects if target.startswith(b"/oauth/redirect?") else None

    return judges


def private_judges(api: ManagementApi, headers: Headers) -> Judges:
    """Return the fast path's checks of the private side.

    Args:
        api: returns access tokens.
        headers: headers of every response of the private side.
    """
    vend = VendJudge(api, headers)

    def judges(target: bytes) -> Judge | None:
        return vend if target.endswith(b"/access-token") else None

    return judges


class DeliveryJudge:
    """Accepts deliveries and refuses other requests to the webhook."""

    def __init__(self, endpoint: WebhookEndpoint) -> None:
        self._endpoint = endpoint

    def __call__(self, scope: Scope, named: Mapping[bytes, bytes]) -> Answer | Request | None:
        """Check the shape and the time of a delivery."""
        if scope["method"] != b"POST":
            return None
        try:
            verdict = self._endpoint.judge_headers(scope, named)
        except StaleTimestamp:
            # A stale delivery whose body is checked all the same, later.
            return None
        if isinstance(verdict, Answer):
            return verdict
        return Request(self._judge_whole, (verdict, scope["headers"]))

    def _judge_whole(self, requests: Sequence[Request]) -> None:
        """Verify the MAC of each, then store the valid ones. One that fails ends alone."""
        good = []
        for request in requests:
            try:
                verdict = self._endpoint.judge_body(request.head[0], request.body)
            except Exception as error:  # noqa: BLE001 - `failed` tells the errors apart.
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
                # No task for each: thousands may wait for one commit.
                request.is_begun = True
                begun.add_done_callback(partial(self._end, request))
            else:
                request.answer_by(begun)

    def _end(self, request: Request, kept: asyncio.Future[Outcome]) -> None:
        request.answer(self._endpoint.end(kept))


class RedirectJudge:
    """Refuses authorization responses that answer no request of this browser.

    A response without `state` proves nothing either, and is redirected to a new flow.

    Args:
        endpoint: decides.
        settings: their `trusted_proxies` decide which forwarded addresses are believed.
        headers: headers of every page.
        proxies: refuses requests over plain http, before the endpoint sees them.
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
        """Return the refusal; None if the ASGI path has to answer."""
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
    """Answers calls for access tokens that carry an API key.

    Args:
        api: returns access tokens.
        headers: headers of every response of the private side.
    """

    def __init__(self, api: ManagementApi, headers: Headers) -> None:
        self._api = api
        self._headers = headers
        # Every token response has the same headers.
        self._dressed = lru_cache(maxsize=8)(self._dress)

    def __call__(self, scope: Scope, named: Mapping[bytes, bytes]) -> Request | None:
        """Check the shape of a call; the ASGI path answers every unusual one."""
        match = VEND_PATH.fullmatch(scope["target"])
        length = named.get(b"content-length", b"")
        if (
            match is None
            or scope["method"] != b"POST"
            # No header may be repeated: neither a length nor a key.
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
        """Look up all of them with one query: each has arrived completely."""
        try:
            rows = self._api.vending.ask([request.head for request in requests])
        except Exception as error:  # noqa: BLE001 - `_failure` tells the errors apart.
            if len(requests) == 1:
                self._fail(requests, error)
            else:
                # One of them may be the reason: each is looked up alone.
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
            except Exception as error:  # noqa: BLE001 - `_failure` tells the errors apart.
                answer = self._failure(error)
            if answer is None:
                request.answer_by(self._vend(presented, installation_id, request.body))
            else:
                request.answer(self._in_full(answer))

    async def _vend(self, presented: Presented, installation_id: str, body: bytes) -> Answer:
        """Answer a call for which Zoom has to be asked first."""
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
        """Return a problem response, never a stack trace."""
        return self._api.problem(error) if isinstance(error, ParaphError) else failed("POST", error)

    def _in_full(self, answer: Answer) -> Answer:
        return Answer(answer.status, self._dressed(answer.fields), answer.body)

    def _dress(self, fields: Fields) -> Fields:
        return Fields(*fields.headers, *self._headers)
