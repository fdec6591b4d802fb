"""`/oauth/redirect`: the redirection endpoint, the only place where a code is accepted.

The order of the checks is the defence. Shape comes first, then this browser's cookie, then the
response: no I/O happens here, so random requests fail at almost no cost. Then come the rate limits:
an attacker with real starts and invented codes cannot flood Zoom through us. Only then is the state
used up, and only then is Zoom called. The page that a refusal shows depends on nothing but the
cookies that the browser sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.responses import RedirectResponse, Response

from paraph.cookies import expired_cookie, host_cookie
from paraph.endpoints.browser_request import BrowserRequest
from paraph.endpoints.pages import Failure, Pages, url_with
from paraph.endpoints.repeated_requests import Repeats
from paraph.errors import (
    AuthorizationErrorResponse,
    AuthorizationExpired,
    AuthorizationResponseInvalid,
    Busy,
    Conflict,
    IssuerMismatch,
    MessageMalformed,
    ParaphError,
    ScopesMissing,
    StateMismatch,
    StorageError,
)
from paraph.http.endpoint import Steps, Wait
from paraph.http.rate_limit import ExchangeLimit
from paraph.http.refusals import Refusals
from paraph.http.response import CompleteResponse
from paraph.installs.pending_authorization import (
    OUTCOME_SECONDS,
    CookieMismatch,
    PendingAuthorization,
    holds_pending,
    open_pending,
)
from paraph.installs.refusal_log import log_refusal
from paraph.lifecycle.context import Context
from paraph.lifecycle.installation import Handoff, install, use_state
from paraph.lifecycle.outcome import Outcome, StateUsed, keep_failure
from paraph.logs import get_logger
from paraph.model.installation import Installation
from paraph.oauth.authorization_response import (
    AuthorizationResponse,
    ValidatedAuthorizationResponse,
    parse_authorization_response,
    validate_authorization_response,
)
from paraph.secret import Secret
from paraph.settings.model import Settings

_log = get_logger("install")
_STATELESS = "the response has no state: the install did not start in the app"

# RFC 6749 section 4.1.2.1: the person refused.
DENIED = "access_denied"

# Every reason that the metric can show.
REASONS = (
    *("no_cookie", "other_cookies", "doubled_cookie", "forged_cookie"),
    *(AuthorizationExpired.code, MessageMalformed.code, AuthorizationResponseInvalid.code),
    *(IssuerMismatch.code, StateMismatch.code, Conflict.code, Busy.code),
)


class RedirectionEndpoint:
    """Receives authorization responses."""

    def __init__(
        self,
        context: Context,
        settings: Settings,
        pages: Pages,
        exchanges: ExchangeLimit,
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self._context = context
        self._settings = settings
        self._pages = pages
        self._exchanges = exchanges
        self._repeats = Repeats(context, monotonic)
        self._running: set[asyncio.Task[Response]] = set()
        self.refusals = Refusals(_log, "install.refused", reasons=REASONS)
        # Rendered once: a flood of random requests must not cost one rendering each.
        self._no_cookie = CompleteResponse.of(pages.no_cookie(), again=True)
        self._other_flow = CompleteResponse.of(pages.other_flow(), again=True)
        self._expired = CompleteResponse.of(pages.expired(), again=True)
        restart = RedirectResponse(f"{settings.base_path}/marketplace", status_code=303)
        self._restart = CompleteResponse.of(restart, again=True)

    def answer(self, request: BrowserRequest) -> Steps:
        """Answer `GET /oauth/redirect`; see `paraph.http.endpoint`."""
        found = self._recognise(request)
        if isinstance(found, CompleteResponse):
            return found
        return CompleteResponse.of((yield Wait(self._finish_whole(request, *found))))

    async def aclose(self) -> None:
        """Wait for the installs in progress: tokens that are not stored are a lost grant."""
        while self._running:
            await asyncio.wait(self._running)

    def _recognise(
        self, request: BrowserRequest
    ) -> CompleteResponse | tuple[PendingAuthorization, AuthorizationResponse]:
        """Decide without any I/O: the response, or the flow of this browser."""
        if request.is_prefetch:
            # A link scanner or a prefetch may request the URL before its owner: uses nothing up.
            return CompleteResponse.of(Response(status_code=204))
        try:
            response = parse_authorization_response(request.raw_query)
            if response.state is None and response.error is None:
                log_refusal(AuthorizationResponseInvalid(_STATELESS))
                return self._restart
            return self._pending_of(request, response), response
        except (MessageMalformed, AuthorizationResponseInvalid) as error:
            self._count(error)
            if isinstance(error, AuthorizationExpired):
                return self._expired
            client = self._context.client
            has_other = holds_pending(client, request.cookies)
            return self._other_flow if has_other else self._no_cookie

    def _pending_of(
        self, request: BrowserRequest, response: AuthorizationResponse
    ) -> PendingAuthorization:
        if response.state is None:
            raise AuthorizationResponseInvalid("an error response without state")
        return open_pending(self._context, state=response.state, cookies=request.cookies)

    def _count(self, error: ParaphError) -> None:
        log_refusal(error)
        self.refusals.note(error.reason if isinstance(error, CookieMismatch) else error.code)

    async def _finish_whole(
        self,
        request: BrowserRequest,
        pending: PendingAuthorization,
        response: AuthorizationResponse,
    ) -> Response:
        """Finish the flow even if this call is cancelled, by a server's timeout for example.

        Zoom may have issued tokens by then, which invalidated the working ones of this user (4741).
        """
        work = asyncio.create_task(self._finish(request, pending, response), name="install")
        self._running.add(work)
        work.add_done_callback(self._running.discard)
        return await asyncio.shield(work)

    async def _finish(
        self,
        request: BrowserRequest,
        pending: PendingAuthorization,
        response: AuthorizationResponse,
    ) -> Response:
        """Finish this browser's own flow. From here on errors may be described to the user."""
        state = pending.request.state
        if self._repeats.is_known(state):
            return await self._again(pending, self._pages.used())
        try:
            validated = self._validate(pending, response)
            async with self._repeats.first(state):
                return await self._first(request, pending, validated)
        except AuthorizationExpired as error:
            # The flow may have been finished in time, and its page loaded again.
            return await self._again(pending, self._pages.expired(), error)
        except AuthorizationErrorResponse as error:
            return await self._said_no(pending, error)
        except Busy as error:
            self._count(error)
            return self._pages.failed(self._pages.failure_of(error))
        except StateUsed:
            return await self._again(pending, self._pages.used())
        except AuthorizationResponseInvalid as error:
            self._count(error)
            return _without_cookie(self._pages.other_flow(), pending)

    def _validate(
        self, pending: PendingAuthorization, response: AuthorizationResponse
    ) -> ValidatedAuthorizationResponse:
        return validate_authorization_response(
            response,
            pending.request,
            server=self._context.authorization_server.server,
            now=self._context.now(),
        )

    async def _first(
        self,
        request: BrowserRequest,
        pending: PendingAuthorization,
        validated: ValidatedAuthorizationResponse,
    ) -> Response:
        try:
            async with self._exchanges.place(request.address):
                done = await install(self._context, pending, validated)
        except (AuthorizationResponseInvalid, Busy, StateUsed):
            raise
        except ParaphError as error:
            return await self._failed(pending, error)
        if isinstance(done, Installation):
            _log.info("install.active", installation=done.link.link_id)
            return _for_a_minute(self._installed(), pending)
        _log.info("install.handed_over")
        return _for_a_minute(self._handed_over(done), pending)

    async def _said_no(
        self, pending: PendingAuthorization, error: AuthorizationErrorResponse
    ) -> Response:
        log_refusal(error)
        state = pending.request.state
        try:
            async with self._repeats.first(state):
                await use_state(self._context, state)
                _log.info("install.refused_at_zoom", error_code=error.error)
                reason = error.error if error.error == DENIED else ""
                return await self._keep(pending, self._pages.failure_of(error), reason=reason)
        except StateUsed:
            return await self._again(pending, self._pages.used())
        except ParaphError as trouble:
            return await self._failed(pending, trouble)

    async def _failed(self, pending: PendingAuthorization, error: ParaphError) -> Response:
        fields: dict[str, object] = {}
        if isinstance(error, Conflict):
            self._count(error)
        else:
            log_refusal(error)
        if isinstance(error, ScopesMissing):
            fields = {"missing": " ".join(error.missing), "granted": " ".join(error.granted)}
        _log.warning("install.failed", error_code=error.code, why=error.detail, **fields)
        failure = self._pages.failure_of(error)
        answer = await self._keep(pending, failure)
        # The state may be unused: the browser keeps its cookie, and a reload may still succeed.
        return self._pages.failed(failure) if isinstance(error, StorageError) else answer

    async def _keep(
        self, pending: PendingAuthorization, failure: Failure, *, reason: str = ""
    ) -> Response:
        """Answer a failure, and store the answer for reloads of the page."""
        outcome = Outcome(
            "failed",
            status=failure.status,
            title=failure.title,
            lines=failure.lines,
            reason=reason,
        )
        if not await keep_failure(self._context, pending.request.state, outcome):
            # The state may still be unused: the browser keeps its cookie and can try again.
            return self._pages.failed(failure)
        return _for_a_minute(self._page_of(failure, reason), pending)

    async def _again(
        self, pending: PendingAuthorization, refusal: Response, error: ParaphError | None = None
    ) -> Response:
        """Return the outcome of a used state again, or refuse."""
        try:
            found = await self._repeats.find(pending.request.state)
        except Busy as busy:
            self._count(busy)
            return self._pages.failed(self._pages.failure_of(busy))
        except ParaphError as trouble:
            return self._pages.failed(self._pages.failure_of(trouble))
        if found == "running" or (found == "unused" and error is None):
            return self._pages.running()
        if isinstance(found, Outcome):
            _log.info("install.repeated", outcome=found.kind)
            return self._repeated(found)
        self._count(error or StateUsed())
        if found == "over" and self._pages.confirmation and pending.wish is not None:
            # The handoff was claimed by this browser's confirmation page, which shows it again.
            flow = pending.wish.return_to
            return RedirectResponse(url_with(self._pages.confirmation, flow=flow), status_code=303)
        return self._pages.used() if found == "over" else _without_cookie(refusal, pending)

    def _repeated(self, outcome: Outcome) -> Response:
        if outcome.kind == "installed":
            return self._installed()
        if outcome.kind == "handoff":
            return self._handed_over(Handoff(Secret(outcome.handoff), outcome.return_to))
        failure = Failure(outcome.title, outcome.lines, outcome.status)
        return self._page_of(failure, outcome.reason)

    def _page_of(self, failure: Failure, reason: str) -> Response:
        answer = self._pages.refused_by_person(reason) if reason else None
        return answer or self._pages.failed(failure)

    def _installed(self) -> Response:
        if self._pages.after_install:
            return RedirectResponse(self._pages.after_install, status_code=303)
        return RedirectResponse(f"{self._settings.base_path}/installed", status_code=303)

    def _handed_over(self, handoff: Handoff) -> Response:
        query = {"handoff": handoff.code.reveal()}
        if handoff.return_to:
            query["return_to"] = handoff.return_to
        return RedirectResponse(url_with(self._settings.link_url, **query), status_code=303)


def _for_a_minute(response: Response, pending: PendingAuthorization) -> Response:
    """Let the browser keep the cookie that identifies the outcome on a reload."""
    response.raw_headers.append(
        host_cookie(pending.cookie_name, pending.cookie_value, max_age=OUTCOME_SECONDS)
    )
    return response


def _without_cookie(response: Response, pending: PendingAuthorization) -> Response:
    """Return a copy of a response that deletes the cookie of a finished flow."""
    copy = Response(response.body, status_code=response.status_code)
    copy.raw_headers = [*response.raw_headers, expired_cookie(pending.cookie_name)]
    return copy
