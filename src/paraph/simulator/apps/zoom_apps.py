"""Zoom Apps: opens a Home URL as Zoom's client does, and checks the response as it does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from paraph.errors import UsageError
from paraph.simulator.apps.app_context import mint
from paraph.simulator.engine import Simulator
from paraph.simulator.state.behaviours import behaviour
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
        url: the opened URL.
        status: the HTTP status; 0 without a response.
        shown: whether Zoom's client would show the page.
        problems: the reasons, as the client states them, and the cookies that it would drop.
        context: the X-Zoom-App-Context header.
    """

    url: str
    status: int
    shown: bool
    problems: Sequence[str]
    context: str


@behaviour(
    "Zoom Apps",
    "every request of the Home URL carries the context",
    "documented",
    source="zoom-apps/zoom-app-context",
)
@behaviour(
    "Zoom Apps",
    "placeholders in a Home URL are filled in; the values are not authenticated",
    "documented",
    source="zoom-apps/zoom-app-context",
)
async def open_home(
    simulator: Simulator,
    app: App,
    user: User,
    *,
    place: str = "panel",
    variant: str = "",
    deeplink: str = "",
) -> Opening:
    """Open a Home URL as Zoom's client does.

    Args:
        simulator: the simulated Zoom.
        app: the app to open.
        user: the user who opens it.
        place: a key of `app_context.PLACES`.
        variant: the difference of the app context from a valid one.
        deeplink: the deep link that opens the app; "" for none.

    Raises:
        UsageError: the app has no Home URL, or the place or the variant is unknown.
        NotFound: there is no such deep link of this app.
    """
    if not app.home_url:
        raise UsageError("the app has no home_url")
    context = mint(
        app,
        user,
        now=simulator.wall(),
        random_bytes=simulator.random_bytes,
        place=place,
        act=simulator.deeplinks.action(app, deeplink) if deeplink else "",
        variant=variant,
    )
    url = app.home_url.replace("{accountId}", quote(user.account_id, safe=""))
    url = url.replace("{meetingUUID}", quote("AbCdEfGhIjKlMnOpQrStUg==", safe=""))
    headers = [("user-agent", USER_AGENT), ("x-zoom-app-context", context)]
    try:
        async with asyncio.timeout(_SECONDS):
            reply = await simulator.outgoing.send("GET", url, headers)
    except UnreachableError as error:
        return Opening(url, 0, shown=False, problems=[str(error)], context=context)
    except TimeoutError:
        return Opening(url, 0, shown=False, problems=["no response"], context=context)
    missing = missing_headers(reply)
    problems = [*missing, *dropped_cookies(reply)]
    shown = reply.status == 200 and not missing
    return Opening(url, reply.status, shown=shown, problems=problems, context=context)


@behaviour(
    "Zoom Apps",
    "an HTML page without one of four headers is not shown",
    "documented",
    source="build-flow/security/owasp",
)
def missing_headers(reply: Reply) -> list[str]:
    """Return the reason for which Zoom's client would not show a page; empty if it would."""
    kind = (reply.header("content-type") or "").partition(";")[0].strip().lower()
    missing = [name for name in REQUIRED_HEADERS if not reply.header(name.lower())]
    if reply.status != 200 or kind != "text/html" or not missing:
        return []
    return [f'Missing OWASP Secure Headers: "{", ".join(missing)}"']


@behaviour(
    "Zoom Apps",
    "the client drops cookies without SameSite=None and Secure",
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
