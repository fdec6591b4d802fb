"""`/oauth/authorize`: sign-in, consent, and the code.

Zoom takes response_type, client_id, redirect_uri, state, code_challenge and its method; the
method is `plain` when absent (documented), scopes come from the app (documented).
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from paraph.simulator.engine import PendingConsent, Simulator
from paraph.simulator.ledger import Code, scopes_of
from paraph.simulator.page import render
from paraph.simulator.redirect_check import redirect_is_registered
from paraph.simulator.world import App, User

COOKIE = "simulated_zoom_session"
_MAX_PENDING = 1000
_METHODS = {"plain", "S256"}


class AuthorizationEndpoint:
    """The authorization endpoint of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def show(self, request: Request) -> Response:
        """GET: judge the request, then decide at once or ask."""
        query = request.query_params
        app = self._simulator.world.app(query.get("client_id", ""))
        if app is None or app.kind != "general":
            return _refuse(4702, "Invalid client_id")
        redirect_uri = query.get("redirect_uri", "")
        if not redirect_is_registered(app, self._simulator.world.zoom, redirect_uri):
            return _refuse(
                4700, "Invalid redirect url", f"Invalid redirect: {redirect_uri} (4,700)"
            )
        response_type = query.get("response_type")
        required = self._simulator.world.zoom.strict
        if response_type != "code" and (required or response_type is not None):
            return _refuse(4700, "Invalid response_type")
        challenge = query.get("code_challenge", "")
        method = query.get("code_challenge_method", "plain")
        if method not in _METHODS:
            return _refuse(4700, "Invalid code_challenge_method")
        if app.public and not challenge:
            return _refuse(4700, "A public client needs a code_challenge")
        pending = PendingConsent(app.client_id, redirect_uri, query.get("state"), challenge, method)
        consent = self._simulator.consent
        if consent.auto != "ask" and not request.cookies:
            return self._decided(pending, app, consent.user_id, allowed=consent.auto == "approve")
        return self._ask(request, pending, app)

    def _ask(self, request: Request, pending: PendingConsent, app: App) -> Response:
        simulator = self._simulator
        session = request.cookies.get(COOKIE, "") or simulator.ledger.random_text(32)
        transaction = simulator.ledger.random_text(32)
        simulator.pending[f"{session}/{transaction}"] = pending
        while len(simulator.pending) > _MAX_PENDING:
            simulator.pending.pop(next(iter(simulator.pending)))
        response = render(
            "consent.html",
            app=app,
            users=simulator.world.users,
            transaction=transaction,
            host=urlsplit(pending.redirect_uri).netloc,
        )
        response.set_cookie(COOKIE, session, httponly=True, samesite="lax", path="/")
        return response

    async def decide(self, request: Request) -> Response:
        """POST: the person has pressed Allow or Deny."""
        form = parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        fields = dict(form)
        # The page belongs to the session that it was shown in: nobody else's press counts.
        key = f"{request.cookies.get(COOKIE, '')}/{fields.get('transaction', '')}"
        pending = self._simulator.pending.pop(key, None)
        app = None if pending is None else self._simulator.world.app(pending.client_id)
        if pending is None or app is None:
            return _refuse(4700, "This page has expired; start again")
        chosen = tuple(value for name, value in form if name == "scope")
        return self._decided(
            pending,
            app,
            fields.get("user_id", ""),
            allowed=fields.get("decision") == "allow",
            chosen=chosen,
        )

    def _decided(
        self,
        pending: PendingConsent,
        app: App,
        user_id: str,
        *,
        allowed: bool,
        chosen: tuple[str, ...] | None = None,
    ) -> Response:
        if not allowed:
            # What Zoom sends here is not documented; its own samples read these (inferred).
            return self._back(pending, {"error": "access_denied"})
        user = self._user(user_id)
        if user is None:
            return _refuse(4700, "There is no such user")
        account = self._simulator.world.account(user.account_id)
        if account is not None and account.preapproval_required:
            return _refuse(4700, "The account's administrator must approve this app first")
        code = self._simulator.ledger.issue_code(
            Code(
                client_id=app.client_id,
                user_id=user.id,
                redirect_uri=pending.redirect_uri,
                scopes=scopes_of(app, chosen),
                challenge=pending.challenge,
                method=pending.method,
                issued_at=self._simulator.clock.now(),
            )
        )
        return self._back(pending, {"code": code})

    def _user(self, user_id: str) -> User | None:
        users = self._simulator.world.users
        return self._simulator.world.user(user_id) if user_id else (users[0] if users else None)

    def _back(self, pending: PendingConsent, answer: dict[str, str]) -> Response:
        if pending.state is not None and not self._simulator.faults.take("state_dropped"):
            answer["state"] = pending.state
        joined = "&" if urlsplit(pending.redirect_uri).query else "?"
        return RedirectResponse(
            f"{pending.redirect_uri}{joined}{urlencode(answer)}", status_code=302
        )


def _refuse(number: int, message: str, line: str = "") -> Response:
    """An error before the redirect can be trusted: on Zoom's page, never redirected (seen)."""
    return render("refused.html", status=400, number=number, message=message, line=line or message)
