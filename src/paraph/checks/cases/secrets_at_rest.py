"""Group `secrets`: places at which tokens and secrets must not be found."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from paraph.checks.harness.case import case, control
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.browser import Browser
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.install_steps import (
    arrive_and_follow,
    authorize,
    begin,
    code_for,
    finish,
    install,
    response_url,
)
from paraph.checks.harness.masking import spellings
from paraph.checks.harness.recording_zoom import ME
from paraph.checks.harness.stored import read_cells, sealed_columns, stored_text, write_cells
from paraph.checks.harness.webhook_steps import event_body, marked_delivery, post, signed_delivery
from paraph.checks.harness.zoom_messages import Reply
from paraph.checks.target import fill
from paraph.checks.verdict import HookMissingError
from paraph.simulator.browser.browser_url import resolved
from paraph.simulator.state.world import User

_ROUTES = (
    *("/tokens", "/token", "/oauth_users", "/debug", "/session", "/export", "/get_token"),
    *("/api/tokens", "/api/users", "/users", "/{user}/get_token", "/api/{user}/token", "/env"),
    *("/debug/vars", "/actuator/env", "/.env", "/config", "/config.json", "/console"),
)
# Seconds in which a process has ended whose connections are closed.
_ENDS_WITHIN = 2.0
_ACTS = ("sign-out", "signout", "sign_out", "logout", "disconnect", "remove", "delete", "revoke")
_LINK = re.compile(r"(?:href|action)=[\"']?([^\"'\s>]+)", re.IGNORECASE)
_CRASHES = (
    *("Traceback (most recent", 'File "/', "at Object.<anonymous>", "node_modules/"),
    *("java.lang.", "stack trace", "Werkzeug", "DJANGO_SETTINGS", "goroutine ", "site-packages"),
)


@control("secrets")
def _installs(t: CaseContext) -> None:
    install(t)


def find(t: CaseContext, text: str, *, but: Iterable[str] = ()) -> str:
    """Return the kind of the first secret found in a text; "" if it contains no secret."""
    for value, what in t.zoom.secrets().items():
        if what not in but and any(spelling in text for spelling in spellings(value)):
            return what
    return ""


def acts(url: str) -> bool:
    """Return True if following a link could sign out or delete something in a careless app."""
    return any(word in url.lower() for word in _ACTS)


def crawl(t: CaseContext, browser: Browser) -> list[Response]:
    """Return the pages within two links of the target's pages."""
    waiting = [t.environment.absolute(one) for one in (*t.target.urls.pages, "/")]
    seen: dict[str, Response] = {}
    while waiting and len(seen) < 40:
        url = waiting.pop(0)
        if url in seen or not browser.is_ours(url) or acts(url):
            continue
        response = browser.open(url)
        seen[url] = response
        if response.is_html:
            found = [one.group(1) for one in _LINK.finditer(response.text)]
            waiting += [resolved(response.url, one) for one in found if not one.startswith("#")]
    return list(seen.values())


@case("leak-http")
def _http(t: CaseContext) -> None:
    done = install(t)
    for browser in (t.browser(), done.browser, t.browser(t.subject())):
        for response in crawl(t, browser):
            what = find(t, response.everything(), but=("authorization code",))
            t.expect(not what, f"the {what} is in {urlsplit(response.url).path}")
    for one in t.exchanges:
        # Zoom's own responses contain codes, which is no leak.
        if one.url.startswith(tuple(t.environment.origins)):
            what = find(t, one.everything())
            t.expect(not what, f"the {what} is in a response of {urlsplit(one.url).path}")


@case("leak-token-route")
def _routes(t: CaseContext) -> None:
    done = install(t)
    for route in _ROUTES:
        for name in (done.user.id, done.subject):
            path = route.replace("{user}", name)
            for browser in (t.browser(), t.browser(t.subject())):
                response = browser.open(t.environment.absolute(path))
                t.expect_no_error(response, path)
                what = find(t, response.everything())
                t.expect(not what, f"{path} shows the {what}")
            if "{user}" not in route:
                break


def _log_text(t: CaseContext) -> str:
    path = t.target.hooks.log_file
    text = t.environment.app.output() if t.environment.app else ""
    if path:
        file = Path(fill(path, t.environment.values()))
        t.control(file.exists(), f"there is no log at {file}")
        text += file.read_text("utf-8", "replace")
    elif not text.strip():
        raise HookMissingError("needs the hook `log_file`: the app prints nothing")
    return text


def _restart_if_ended(t: CaseContext) -> None:
    """Start an app again that has ended; its output is kept."""
    app = t.environment.app
    # A connection ends a moment before its process does.
    if app is not None and t.until(lambda: not app.alive, _ENDS_WITHIN):
        t.environment.restart()


@case("leak-logs")
def _logs(t: CaseContext) -> None:
    done = install(t)
    all_returned, signed = [done.response_url], None
    browser = t.browser(done.subject)
    stray = response_url(t, code=code_for(t, t.zoom.user()), state="forged-state-of-this-case-0001")
    arrive_and_follow(t, browser, stray)
    for reply in (Reply(200, b"not json"), Reply.of_json({"code": 1}, 500)):
        t.zoom.replace(ME, reply)
        returned = authorize(t, browser)
        all_returned.append(returned)
        page = arrive_and_follow(t, browser, returned)
        t.zoom.reset()
        if not page.status:
            _restart_if_ended(t)
    if t.environment.url("webhook"):
        _, good = marked_delivery(t, done.user)
        post(t, good)
        good.signature = "v0=" + "0" * 64
        post(t, good)
        challenge = event_body(
            t, "endpoint.url_validation", {"plainToken": "plainTokenOfThisCase01"}
        )
        content = post(t, signed_delivery(t, challenge)).json()
        signed = content.get("encryptedToken") if isinstance(content, dict) else None
    text = _log_text(t)
    t.expect(not signed or signed not in text, "the response to a challenge is in the log")
    what = find(t, text)
    t.expect(not what, f"the {what} is in the log")
    for returned in all_returned:
        state = urlsplit(returned).query.rpartition("state=")[2].partition("&")[0]
        t.expect(not state or state not in text, "a state is in the log")
    cookies = [c.value for c in done.browser.jar.all() if len(c.value) >= 16]
    t.expect(not any(value in text for value in cookies), "a cookie is in the log")


@case("leak-db")
def _db(t: CaseContext) -> None:
    before = stored_text(t)
    done = install(t)
    content = stored_text(t)
    t.control(content != before, "an installation leaves no trace in the hook `database_file`")
    what = find(t, content)
    t.expect(not what, f"the {what} of {done.user.display_name} is stored in plaintext")


@case("leak-swap")
def _swap(t: CaseContext) -> None:
    t.hooks.require("use")
    columns = sealed_columns(t)
    first, second = install(t), install(t)
    status, seen = t.hooks.use(first.subject, first.user.id)
    t.control(seen and status < 300, f"`use` works for no user ({status})")
    t.environment.restart()
    kept = {one: read_cells(t, *one) for one in columns}
    for one, cells in kept.items():
        rows = [row for row, _ in cells]
        values = [value for _, value in cells]
        write_cells(t, *one, list(zip(rows, values[-1:] + values[:-1], strict=True)))
    t.environment.restart()
    for person in (first, second):
        status, seen = t.hooks.use(person.subject, person.user.id)
        wrong = [o for o in seen if o.bearer in _tokens_of_others(t, person.user)]
        t.expect(not wrong, "a token from another row was used: ciphertexts can be swapped")
    for one, cells in kept.items():
        write_cells(t, *one, [(row, _flipped(value)) for row, value in cells])
    t.environment.restart()
    own = t.zoom.access_token_of(first.user)
    status, seen = t.hooks.use(first.subject, first.user.id)
    # Meanwhile the app may be asking Zoom for the owner of other tokens, which work.
    used = [one for one in seen if one.bearer == own or one.status != 200]
    t.expect(not used, "an altered ciphertext was used")
    t.expect(status != 200, "an altered ciphertext is not detected")
    for one, cells in kept.items():
        write_cells(t, *one, cells)
    t.environment.restart()
    status, seen = t.hooks.use(first.subject, first.user.id)
    t.expect(status < 300, f"after the ciphertexts were put back `use` returns {status}")


def _tokens_of_others(t: CaseContext, user: User) -> set[str]:
    """Return the valid access tokens of the other installed users.

    If links can be seen, users without a link are left out: the app may be asking Zoom for the
    owner of their tokens.
    """
    linked = {one[1] for one in t.hooks.links()}
    users = [one for one in t.zoom.simulator.world.users if one.id != user.id]
    if t.hooks.has("links"):
        users = [one for one in users if one.id in linked]
    return {t.zoom.access_token_of(one) for one in users} - {""}


def _flipped(value: bytes | str) -> bytes | str:
    if isinstance(value, str):
        middle = len(value) // 2
        other = "A" if value[middle] != "A" else "B"
        return value[:middle] + other + value[middle + 1 :]
    changed = bytearray(value)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


@case("leak-key-rotation")
def _rotation(t: CaseContext) -> None:
    t.hooks.require("use")
    for name in ("key_added", "key_retired"):
        if name not in t.target.variants:
            raise HookMissingError(f"needs `[variants.{name}]`")
    old = install(t)
    t.environment.restart("key_added")
    status, _ = t.hooks.use(old.subject, old.user.id)
    t.expect(status < 300, f"with a new key in front `use` returns {status} for an old row")
    new = install(t)
    if t.hooks.has("rotate"):
        t.hooks.call("rotate")
    t.environment.restart("key_retired")
    for person in (old, new):
        status, _ = t.hooks.use(person.subject, person.user.id)
        t.expect(status < 300, f"without the old key `use` returns {status}")


@case("leak-api-bearer")
def _bearer(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    before = t.zoom.mark()
    finish(t, browser, authorize(t, browser))
    asked = t.zoom.requests("/v2/", since=before)
    t.control(asked, "the app never called the API")
    for one in asked:
        t.expect("access_token" not in one.parameters, "the token is in the query or body")
        t.expect(one.bearer, "the token is not in the Authorization header")
    t.zoom.replace(ME, Reply(302, b"", {"location": f"{t.environment.trap_url}/v2/users/me"}))
    browser = t.browser(t.subject())
    finish(t, browser, authorize(t, browser))
    leaked = [hit for hit in t.environment.trap.hits if "earer" in hit or "access_token" in hit]
    t.expect(not leaked, "the token was carried along a redirect to another host")


@case("leak-memory-crash")
def _crash(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    state = begin(t, browser).state
    endpoint = t.url("redirect")
    for url in (
        f"{endpoint}?code=%ff%fe&state={state}",
        f"{endpoint}?state[]=x&code[]=y",
        f"{endpoint}?code=x&state=" + "%00" * 50,
        f"{t.environment.base}/%ff",
        f"{t.environment.base}/no-such-page",
        f"{t.url('start')}?%zz=%",
    ):
        _expect_discreet(t, browser.request("GET", url))
    _expect_discreet(t, browser.request("POST", endpoint, body=b"{" * 5000))
    _expect_discreet(
        t, browser.request("GET", endpoint, headers=[("cookie", "a=\xff; =; ;;" * 50)])
    )
    if t.environment.url("webhook"):
        for body in (b"", b"{", b"\xff\xfe", b"[" * 9000):
            delivery = signed_delivery(t, body)
            _expect_discreet(t, post(t, delivery))
            delivery.signature = "v0=\xe9"
            _expect_discreet(t, post(t, delivery))


def _expect_discreet(t: CaseContext, response: Response) -> None:
    shown = response.everything()
    # The header Server of a development server is the business of net-errors.
    found = next((mark for mark in _CRASHES if mark in response.text), "")
    t.expect(not found, f"an error page shows `{found}`")
    what = find(t, shown)
    t.expect(not what, f"an error page shows the {what}")
    environment = t.target.start.environment
    names = [name for name in environment if len(name) > 6 and name in shown]
    t.expect(not names, "an error page shows the environment")
