"""Zoom Apps: opens a Home URL as Zoom's client does, and authorizes inside the client."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from paraph.errors import UsageError
from paraph.simulator.apps.app_context import mint
from paraph.simulator.engine import Simulator
from paraph.simulator.oauth.redirect_check import redirect_is_registered
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.ledger import Code, scopes_of
from paraph.simulator.state.world import App, User
from paraph.simulator.webhooks.outgoing import Reply, UnreachableError

USER_AGENT = "Mozilla/5.0 ZoomWebKit/537.36 (KHTML, like Gecko) ZoomApps/1.0"
REQUIRED_HEADERS = (
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "Content-Security-Policy",
    "Referrer-Policy",
)
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Opening:
    """The result of opening a Home URL.

    Attributes:
        shown: whether Zoom's client would show the page.
        problems: why not, in the client's words, and the cookies that it would drop.
    """

    url: str
    status: int
    shown: bool
    problems: Sequence[str]
    context: str


class ZoomApps:
    """Zoom's client, as far as it concerns Zoom Apps."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    @behaviour(
        "Zoom Apps",
        "the context comes with every request for the Home URL",
        "documented",
        source="zoom-apps/zoom-app-context",
    )
    @behaviour(
        "Zoom Apps",
        "values in a Home URL's query are filled in and prove nothing",
        "documented",
        source="zoom-apps/zoom-app-context",
    )
    async def open_home(
        self, app: App, user: User, *, place: str = "panel", variant: str = "", deeplink: str = ""
    ) -> Opening:
        """Open the Home URL as the client would.

        Raises:
            UsageError: the app has no Home URL, or the place, variant or deep link is unknown.
        """
        if not app.home_url:
            raise UsageError("the app has no home_url")
        context = mint(
            app,
            user,
            now=self._simulator.wall(),
            random_bytes=self._simulator.random_bytes,
            place=place,
            act=self._simulator.deeplinks.action(app, deeplink) if deeplink else "",
            variant=variant,
        )
        url = app.home_url.replace("{accountId}", quote(user.account_id, safe=""))
        url = url.replace("{meetingUUID}", quote("AbCdEfGhIjKlMnOpQrStUg==", safe=""))
        headers = [("user-agent", USER_AGENT), ("x-zoom-app-context", context)]
        try:
            async with asyncio.timeout(_SECONDS):
                reply = await self._simulator.outgoing.send("GET", url, headers)
        except UnreachableError as error:
            return Opening(url, 0, shown=False, problems=[str(error)], context=context)
        except TimeoutError:
            return Opening(url, 0, shown=False, problems=["no answer"], context=context)
        missing = missing_headers(reply)
        problems = [*missing, *dropped_cookies(reply)]
        shown = reply.status == 200 and not missing
        return Opening(url, reply.status, shown=shown, problems=problems, context=context)

    @behaviour(
        "Zoom Apps",
        "in-client authorization: the challenge is plain, the redirect URI the Home URL",
        "documented",
        source="zoom-apps/authentication; types of the SDK",
    )
    def authorize(
        self, app: App, user: User, *, code_challenge: str, state: str | None, allow: bool
    ) -> dict[str, Any]:
        """Return the content of the event onAuthorized, as for `zoomSdk.authorize(…)`.

        Raises:
            UsageError: the challenge is missing, or the Home URL is not on the allow list.
        """
        stamp = int(self._simulator.wall() * 1000)
        back = {} if state is None else {"state": state}
        if not allow:
            return {"result": False, "timestamp": stamp, **back}
        if not code_challenge:
            raise UsageError("authorize needs a code_challenge")
        if not redirect_is_registered(app, self._simulator.world.zoom, app.home_url):
            raise UsageError("the Home URL is not on the app's OAuth allow list (4,700)")
        code = self._simulator.ledger.issue_code(
            Code(
                client_id=app.client_id,
                user_id=user.id,
                redirect_uri=app.home_url,
                scopes=scopes_of(app, None),
                challenge=code_challenge,
                method="plain",
                issued_at=self._simulator.clock.now(),
                in_client=True,
            )
        )
        return {
            "code": code,
            "redirectUri": app.home_url,
            "result": True,
            "timestamp": stamp,
            **back,
        }


@behaviour(
    "Zoom Apps",
    "an HTML page without one of four headers is not shown",
    "documented",
    source="build-flow/security/owasp",
)
def missing_headers(reply: Reply) -> list[str]:
    """Return why Zoom's client would not show a page, in its words; empty if it would."""
    kind = (reply.header("content-type") or "").partition(";")[0].strip().lower()
    missing = [name for name in REQUIRED_HEADERS if not reply.header(name.lower())]
    if reply.status != 200 or kind != "text/html" or not missing:
        return []
    return [f'Missing OWASP Secure Headers: "{", ".join(missing)}"']


@behaviour(
    "Zoom Apps",
    "cookies without SameSite=None and Secure do not live in the client",
    "documented",
    source="zoom/skills",
)
def dropped_cookies(reply: Reply) -> list[str]:
    """Return the cookies that Zoom's client would drop."""
    problems = []
    for name, value in reply.headers:
        if name.lower() != "set-cookie":
            continue
        pair, *rest = (part.strip() for part in value.split(";"))
        attributes = {part.lower().replace(" ", "") for part in rest}
        if not {"samesite=none", "secure"} <= attributes:
            cookie = pair.partition("=")[0]
            problems.append(f"the cookie {cookie} is dropped: not SameSite=None; Secure")
    return problems
