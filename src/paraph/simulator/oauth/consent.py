"""The consent page: a person selects a user and scopes, then allows or denies.

Two flows use it: an authorization request from a browser, and a user code entered for a device.
Their next steps are in their own modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from paraph.simulator.engine import PendingConsent, Simulator
from paraph.simulator.page import render
from paraph.simulator.request import Refusal, read_form
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.world import App, User

COOKIE = "simulated_zoom_session"
_MAX_PENDING = 1000


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision; `user` and `scopes` are set only if it was allowed."""

    allowed: bool
    user: User | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """Consent ends on Zoom's own page with this error."""

    number: int
    message: str


class Consents:
    """The consent pages of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def automatic_decision(self, request: Request, app: App) -> Decision | None:
        """Return the decision that needs no page, or None if the page has to be shown.

        A caller without any cookie is not a browser, and gets the preset decision.
        """
        consent = self._simulator.consent
        if request.cookies:
            return self._skipped_consent(app)
        if consent.auto == "ask":
            return None
        return self._decision(
            app,
            consent.user_id,
            allowed=consent.auto == "approve",
            chosen=consent.optional_scopes,
        )

    def show_page(self, request: Request, pending: PendingConsent, app: App) -> Response:
        """Show the consent page; it belongs to the session in which it is shown."""
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

    async def take(self, request: Request) -> tuple[PendingConsent, App, Decision]:
        """Return the decision made on a consent page of this session; each page counts once.

        Raises:
            Refused: the page is not of this session or was decided already, or the consent is not
                allowed.
        """
        try:
            form = await read_form(request)
        except Refusal as refusal:
            raise Refused(4700, refusal.text) from None
        fields = dict(form)
        # The page belongs to the session in which it was shown: no other session can decide it.
        key = f"{request.cookies.get(COOKIE, '')}/{fields.get('transaction', '')}"
        pending = self._simulator.pending.pop(key, None)
        app = None if pending is None else self._simulator.world.app(pending.client_id)
        if pending is None or app is None:
            raise Refused(4700, "This page has expired; start again")
        decision = self._decision(
            app,
            fields.get("user_id", ""),
            allowed=fields.get("decision") == "allow",
            chosen=tuple(value for name, value in form if name == "scope"),
        )
        return pending, app, decision

    @behaviour(
        "consent",
        "an account-level app is added by administrators only",
        "documented",
        source="manifest: usage ADMIN_MANAGEMENT",
    )
    def _decision(
        self, app: App, user_id: str, *, allowed: bool, chosen: tuple[str, ...] | None
    ) -> Decision:
        simulator = self._simulator
        if not allowed:
            return Decision(allowed=False, user=None, scopes=())
        user = self._user(user_id)
        if not simulator.app_status.may_be_added(simulator.world, app.client_id, user.account_id):
            raise Refused(4700, "The account's administrator must approve this app first")
        if app.level == "account" and user.role != "admin":
            raise Refused(4700, "Only an administrator of the account can add this app")
        if simulator.faults.take("code_of_another"):
            user = next((one for one in simulator.world.users if one.id != user.id), user)
        return Decision(allowed=True, user=user, scopes=scopes_of(app, chosen))

    def _skipped_consent(self, app: App) -> Decision | None:
        if not self._simulator.faults.take("consent_skipped"):
            return None
        return self._decision(app, self._simulator.consent.user_id, allowed=True, chosen=None)

    def _user(self, user_id: str) -> User:
        """Return the user of a decision; without a name, the first user."""
        users = self._simulator.world.users
        user = self._simulator.world.user(user_id) if user_id else (users[0] if users else None)
        if user is None:
            raise Refused(4700, "There is no such user")
        return user


@behaviour(
    "consent",
    "with `admin_scopes` an app is granted the `:admin` form of each of its scopes",
    "seen",
    source="moodle-mod_zoom issue 474: admin apps have only such scopes",
)
@behaviour(
    "consent",
    "optional scopes may be left out; the response names what was granted",
    "documented",
    source="developers.zoom.us/docs/internal-apps/oauth-scopes-overview",
)
def scopes_of(app: App, chosen: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the scopes of a consent: all required ones, and the selected optional ones.

    Args:
        app: the app.
        chosen: the selected optional scopes; None selects all, where no page asked.
    """
    optional = [scope for scope in app.optional_scopes if chosen is None or scope in chosen]
    return app.granted_scopes(optional)
