"""The built-in pages of a service inside another application: the start URL and the confirmation.

The person who finishes must be the one who started. So the host names its signed-in user at the
start, when the page is shown and when its form is sent. A flow belongs to one user in one browser:
its nonce, its claim and its form token are derived from both (`PageKey`). Another user or browser
derives other values, and finds nothing.

`GET …/link?handoff=…` claims and leads to `GET …/link?flow=…`, so that the one-use handoff leaves
the address bar. That page can be loaded again until the claim expires.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response

from paraph.endpoints.browser_request import BrowserRequest
from paraph.endpoints.pages import Button, Pages, url_with
from paraph.errors import (
    Busy,
    Conflict,
    LinkConflict,
    MessageMalformed,
    NotFound,
    ParaphError,
    UsageError,
)
from paraph.http.body import BodyError
from paraph.http.endpoint import ReadBody, Steps, Wait
from paraph.http.rate_limit import RateLimit
from paraph.http.response import CompleteResponse
from paraph.installs.pending_authorization import OUTCOME_SECONDS
from paraph.installs.refusal_log import log_refusal
from paraph.lifecycle import link
from paraph.lifecycle.context import Context
from paraph.lifecycle.link import Claim
from paraph.lifecycle.link_request import request_link
from paraph.logs import get_logger
from paraph.model.installation import Installation
from paraph.oauth.messages import parse_query
from paraph.oauth.pkce import code_challenge_of
from paraph.secret import Secret
from paraph.service.mount.page_key import PageKey, PageKeys
from paraph.service.mount.signed_in import HostSide, signed_in_label, signed_in_subject
from paraph.settings.loading import LINK_PATH, START_PATH
from paraph.settings.model import Settings

_FLOW = re.compile(r"([0-9]{10})-[A-Za-z0-9_-]{22}")
_CODE = re.compile(r"[A-Za-z0-9_-]{43}")
_FORM = ReadBody(2048, 5.0)
_NOT_BEGUN = "the browser has not begun this flow"
_FIELDS = ("flow", "token", "decision")

_log = get_logger("pages")


@dataclass(frozen=True, slots=True)
class _Shown:
    """A claim, and the form token of the page that shows it."""

    claim: Claim
    token: str


class HostPages:
    """Answers the start URL and the confirmation page."""

    def __init__(
        self, context: Context, settings: Settings, pages: Pages, host: HostSide, starts: RateLimit
    ) -> None:
        self._context = context
        self._pages = pages
        self._host = host
        self._starts = starts
        self._keys = PageKeys(context)
        self._origin = settings.public_origin.encode()
        self._install = f"{settings.base_path}/install"
        self._start = f"{settings.base_path}{START_PATH}"
        self._link = f"{settings.base_path}{LINK_PATH}"

    async def start(self, request: BrowserRequest) -> Response:
        """Answer `GET …/start`: begin a flow for the signed-in user."""
        if request.is_prefetch or request.is_cross_site:
            # Another site must not begin a flow; the person's own click may.
            return self._pages.press()
        subject = await self._subject(request)
        if subject is None:
            return self._signed_out()
        try:
            self._starts.spend(request.address)
            key = self._keys.find(request.cookies) or self._keys.new()
            flow = f"{self._context.now():010d}-{self._context.new_id()}"
            code, _ = await request_link(
                self._context,
                subject=subject,
                challenge=code_challenge_of(Secret(key.nonce(subject, flow))),
                return_to=flow,
            )
        except Busy as error:
            return self._pages.failed(self._pages.failure_of(error))
        except ParaphError as error:
            return self._failed(error)
        response = RedirectResponse(url_with(self._install, request=code.reveal()), 303)
        response.raw_headers.append(self._keys.cookie(key))
        return response

    async def link(self, request: BrowserRequest) -> Response:
        """Answer `GET …/link`: claim the handoff, or show both accounts of a claim."""
        if request.is_prefetch:
            return Response(status_code=204)
        names = ("handoff", "return_to", "flow")
        try:
            fields = parse_query(request.raw_query, once=names)
        except MessageMalformed as error:
            return self._unknown(error)
        subject = await self._subject(request)
        if subject is None:
            if request.is_cross_site:
                # The browser comes from Zoom and sent no cookie with SameSite=Strict.
                return self._pages.page(
                    "One more step",
                    "Zoom has answered. Continue to look at both accounts.",
                    button=Button("Continue", ""),
                )
            return self._signed_out()
        key, flow = self._keys.find(request.cookies), fields.get("flow", "")
        try:
            if "handoff" in fields:
                return await self._claim(key, subject, fields["handoff"], fields.get("return_to"))
            return await self._show(request, key, subject, flow)
        except NotFound as error:
            return await self._ended(key, subject, flow, error)
        except ParaphError as error:
            return self._failed(error)

    async def _claim(
        self, key: PageKey | None, subject: str, handoff: str, flow: str | None
    ) -> Response:
        if key is None or flow is None or not _FLOW.fullmatch(flow) or not _CODE.fullmatch(handoff):
            return self._unknown(NotFound(_NOT_BEGUN))
        try:
            await link.claim(
                self._context,
                handoff=Secret(handoff),
                verifier=key.nonce(subject, flow),
                code=key.claim(subject, flow),
            )
        except NotFound:
            # A reload finds the claim of its first request by the flow; any other one, nothing.
            _log.info("pages.handoff_not_claimed")
        return self._at(flow)

    async def _show(
        self, request: BrowserRequest, key: PageKey | None, subject: str, flow: str
    ) -> Response:
        shown = await self._find(key, subject, flow)
        grant = shown.claim.installation.grant
        replaces = shown.claim.replaces
        return self._pages.render(
            "confirm.html",
            title="Replace the connection?" if replaces else "Connect these two accounts?",
            zoom_name=grant.display_name or grant.identity.user_id,
            zoom_email=grant.email,
            local_name=await self._label(request, subject),
            lines=[*map(self._ends, replaces), *self._gets(grant.tokens.scopes)],
            is_move=bool(replaces),
            agree="Replace and connect" if replaces else "Connect",
            action=self._link,
            flow=flow,
            token=shown.token,
        )

    def _ends(self, replaced: Installation) -> str:
        # The subject of another local account is not shown: it is not this person's.
        return (
            f"{self._pages.app_name} is connected to {replaced.grant.email or 'Zoom'} now. "
            "That connection will end."
        )

    def _gets(self, scopes: frozenset[str]) -> list[str]:
        return [f"{self._pages.app_name} may use: {', '.join(sorted(scopes))}."] if scopes else []

    def decide(self, request: BrowserRequest) -> Steps:
        """Answer `POST …/link`: confirm or decline, for a form of this page alone."""
        if not self._is_own_form(request):
            return CompleteResponse.of(self._foreign_form())
        try:
            body = yield _FORM
        except BodyError:
            return CompleteResponse.of(self._foreign_form(status=400))
        return CompleteResponse.of((yield Wait(self._decide(request, body))))

    def _is_own_form(self, request: BrowserRequest) -> bool:
        headers = request.scope["headers"]
        origins = [value for name, value in headers if name == b"origin"]
        sites = [value for name, value in headers if name == b"sec-fetch-site"]
        return origins == [self._origin] and sites in ([], [b"same-origin"])

    async def _decide(self, request: BrowserRequest, body: bytes) -> Response:
        try:
            fields = parse_query(body, once=_FIELDS)
            flow, token, decision = (fields[name] for name in _FIELDS)
        except (MessageMalformed, KeyError):
            return self._foreign_form(status=400)
        subject = await self._subject(request)
        if subject is None:
            return self._signed_out()
        key = self._keys.find(request.cookies)
        try:
            shown = await self._find(key, subject, flow)
            if not hmac.compare_digest(shown.token, token):
                # Also if the connections that would end are no longer those of the page.
                return self._foreign_form(flow)
            return await self._carry_out(shown.claim, subject, flow, decision)
        except NotFound as error:
            return await self._ended(key, subject, flow, error, declined=decision == "decline")
        except LinkConflict:
            return self._at(flow)
        except Conflict:
            return self._later(flow)
        except ParaphError as error:
            return self._failed(error)

    async def _carry_out(self, claim: Claim, subject: str, flow: str, decision: str) -> Response:
        if decision == "decline":
            await link.decline(self._context, claim=claim.claim)
            return self._declined()
        if decision not in {"connect", "move"}:
            return self._foreign_form(flow)
        move = decision == "move"
        await link.confirm(self._context, claim=claim.claim, subject=subject, move=move)
        return self._connected() if self._pages.after_install else self._at(flow)

    async def _find(self, key: PageKey | None, subject: str, flow: str) -> _Shown:
        if key is None or not _FLOW.fullmatch(flow):
            raise NotFound(_NOT_BEGUN)
        code = key.claim(subject, flow)
        claim = await link.find_claim(self._context, claim=code, subject=subject)
        replaces = sorted(one.link.link_id for one in claim.replaces)
        return _Shown(claim, key.form_token(subject, flow, replaces))

    async def _ended(
        self,
        key: PageKey | None,
        subject: str,
        flow: str,
        cause: NotFound,
        *,
        declined: bool = False,
    ) -> Response:
        """Answer for a flow without a live claim: perhaps its form was sent twice."""
        match = _FLOW.fullmatch(flow)
        if key is None or match is None:
            return self._unknown(cause)
        since = max(int(match[1]), self._context.now() - OUTCOME_SECONDS)
        try:
            if await link.is_confirmed_since(self._context, subject=subject, since=since):
                return self._connected()
        except ParaphError as error:
            return self._failed(error)
        return self._declined() if declined else self._unknown(cause)

    async def _subject(self, request: BrowserRequest) -> str | None:
        return await signed_in_subject(self._host, request.scope)

    async def _label(self, request: BrowserRequest, subject: str) -> str:
        return await signed_in_label(self._host, request.scope, subject)

    def _at(self, flow: str) -> Response:
        return RedirectResponse(url_with(self._link, flow=flow), status_code=303)

    def _connected(self) -> Response:
        if self._pages.after_install:
            return RedirectResponse(self._pages.after_install, status_code=303)
        return self._pages.page(
            "Zoom is connected", f"{self._pages.app_name} is connected. You can close this page."
        )

    def _declined(self) -> Response:
        return self._pages.refused_by_person("declined") or self._pages.page(
            "Nothing was connected",
            "You can connect Zoom at any time.",
            button=Button("Start again", self._pages.start),
        )

    def _signed_out(self) -> Response:
        if self._host.sign_in_url:
            return RedirectResponse(url_with(self._host.sign_in_url, next=self._start), 303)
        return self._pages.page(
            "Sign in first",
            f"Sign in to {self._pages.app_name}, then start again there.",
            button=Button("Start again", self._pages.start),
            status=401,
        )

    def _unknown(self, cause: ParaphError) -> Response:
        log_refusal(cause)
        return self._pages.page(
            "This cannot be continued",
            "A connection to Zoom is confirmed once, within ten minutes, in the browser and by the "
            f"user of {self._pages.app_name} who began it.",
            "Nothing was changed. Start again, and finish in the same browser.",
            button=Button("Start again", self._pages.start),
            status=400,
        )

    def _foreign_form(self, flow: str = "", *, status: int = 403) -> Response:
        """Refuse a form that this page did not send, or that shows other accounts."""
        log_refusal(UsageError("the form is not of this page, or shows other accounts"))
        return self._pages.page(
            "This form is not valid",
            "Nothing was changed. Look at both accounts again, and use the form of that page.",
            button=Button("Look again", url_with(self._link, flow=flow) if flow else self._start),
            status=status,
        )

    def _later(self, flow: str) -> Response:
        response = self._pages.page(
            "One moment",
            "Zoom has announced a removal of the app, which is being verified.",
            "Nothing was changed. Look at both accounts again in a few seconds.",
            button=Button("Look again", url_with(self._link, flow=flow)),
            status=503,
        )
        response.headers["retry-after"] = "3"
        return response

    def _failed(self, error: ParaphError) -> Response:
        _log.warning("pages.failed", error_code=error.code, why=error.detail, remedy=error.remedy)
        return self._pages.failed(self._pages.failure_of(error))
