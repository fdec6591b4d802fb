"""`/oauth/redirect`: the redirection endpoint, the only place where a code is accepted.

The order of the checks is the defence. Shape, then this browser's cookie, then the response:
none of it does any I/O, so random requests fail here for nothing. Then the budget, so that
somebody with real starts and invented codes cannot flood Zoom through us; only then is the
state used up, and only then is Zoom called. Every refusal is one and the same page.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from paraph.config import Settings
from paraph.errors import (
    AuthorizationErrorResponse,
    AuthorizationResponseInvalid,
    Busy,
    Conflict,
    MessageMalformed,
    ParaphError,
)
from paraph.lifecycle.context import Context
from paraph.lifecycle.installation import Handoff, install, use_state
from paraph.lifecycle.pending_authorization import (
    PendingAuthorization,
    open_pending,
    used_state_hash,
)
from paraph.logs import get_logger
from paraph.oauth.authorization_response import (
    AuthorizationResponse,
    ValidatedAuthorizationResponse,
    parse_authorization_response,
    validate_authorization_response,
)
from paraph.service.budget import ExchangeBudget
from paraph.service.cookies import expired_cookie
from paraph.service.page import Pages
from paraph.service.visit import Visit
from paraph.storage.records import Installation

# Used states that are refused from memory: a replay costs the store one look, not one each time.
_REMEMBERED = 4096

_log = get_logger("install")


class RedirectionEndpoint:
    """Receives authorization responses."""

    def __init__(
        self, context: Context, settings: Settings, pages: Pages, exchanges: ExchangeBudget
    ) -> None:
        self._context = context
        self._settings = settings
        self._pages = pages
        self._exchanges = exchanges
        self.refused: Counter[str] = Counter()
        self._used: OrderedDict[bytes, None] = OrderedDict()
        # Written once: a flood of random requests must not make us write a page for each.
        self.refusal = pages.refused()
        self.restart = RedirectResponse("/marketplace", status_code=303)

    async def answer(self, visit: Visit) -> Response:
        """The answer to `GET /oauth/redirect`."""
        judged = self._judge(visit)
        if isinstance(judged, Response):
            return judged
        pending, response = judged
        answer = await self._finish(visit, pending, response)
        # A reload may still succeed after these: nothing was asked of Zoom, or the store was away.
        if answer.status_code not in {429, 503}:
            answer.raw_headers.append(expired_cookie(pending.cookie_name))
        return answer

    def standing(self, visit: Visit) -> Response | None:
        """The response where it is `refusal` or `restart`; a refusal is counted, to be given."""
        judged = self._judge(visit)
        return judged if judged is self.refusal or judged is self.restart else None

    def _judge(self, visit: Visit) -> Response | tuple[PendingAuthorization, AuthorizationResponse]:
        """What can be said without any I/O, or what there is to go on with."""
        if visit.unasked:
            # A scanner or a prefetch may see the URL before its owner does: it uses nothing up.
            return Response(status_code=204)
        try:
            response = parse_authorization_response(visit.raw_query)
            if response.state is None and response.error is None:
                return self.restart
            return self._recognise(visit, response), response
        except (MessageMalformed, AuthorizationResponseInvalid) as error:
            # A counter and no line for each: a flood must not become a flood of log lines.
            self.refused[error.code] += 1
            return self.refusal

    def _recognise(self, visit: Visit, response: AuthorizationResponse) -> PendingAuthorization:
        if response.state is None:
            raise AuthorizationResponseInvalid("an error response without state")
        return open_pending(self._context, state=response.state, cookies=visit.cookies)

    async def _finish(
        self, visit: Visit, pending: PendingAuthorization, response: AuthorizationResponse
    ) -> Response:
        """From here on it is this browser's own flow: what goes wrong may be said."""
        if used_state_hash(pending.request.state) in self._used:
            return self._refused_as_used()
        try:
            validated = self._validate(pending, response)
            async with self._exchanges.place(visit.address):
                outcome = await install(self._context, pending, validated)
        except AuthorizationErrorResponse as error:
            return await self._said_no(pending, error)
        except Busy as error:
            return self._pages.failed(error)
        except Conflict:
            return self._note_used(pending)
        except AuthorizationResponseInvalid as error:
            self.refused[error.code] += 1
            return self._pages.refused()
        except ParaphError as error:
            return self._failed(error)
        return self._done(outcome)

    def _validate(
        self, pending: PendingAuthorization, response: AuthorizationResponse
    ) -> ValidatedAuthorizationResponse:
        return validate_authorization_response(
            response,
            pending.request,
            server=self._context.authorization_server.server,
            now=self._context.now(),
        )

    async def _said_no(
        self, pending: PendingAuthorization, error: AuthorizationErrorResponse
    ) -> Response:
        try:
            await use_state(self._context, pending.request.state)
        except Conflict:
            return self._note_used(pending)
        except ParaphError as trouble:
            return self._failed(trouble)
        _log.info("install.refused_at_zoom", error_code=error.error)
        return self._pages.failed(error)

    def _failed(self, error: ParaphError) -> Response:
        _log.warning("install.failed", error_code=error.code, why=error.detail)
        return self._pages.failed(error)

    def _note_used(self, pending: PendingAuthorization) -> Response:
        self._used[used_state_hash(pending.request.state)] = None
        if len(self._used) > _REMEMBERED:
            self._used.popitem(last=False)
        return self._refused_as_used()

    def _refused_as_used(self) -> Response:
        self.refused[Conflict.code] += 1
        return self._pages.refused()

    def _done(self, outcome: Installation | Handoff) -> Response:
        if isinstance(outcome, Installation):
            _log.info("install.active", installation=outcome.link.link_id)
            return RedirectResponse("/installed", status_code=303)
        query = {"handoff": outcome.code.reveal()}
        if outcome.return_to:
            query["return_to"] = outcome.return_to
        _log.info("install.handed_over")
        link_url = self._settings.link_url
        joined = "&" if "?" in link_url else "?"
        return RedirectResponse(f"{link_url}{joined}{urlencode(query)}", status_code=303)
