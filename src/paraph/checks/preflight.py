"""The preflight: one honest use of the app, of its URLs and of its hooks, before any attack.

The first step that fails ends the run with one cause, because every case would repeat it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from html import unescape
from pathlib import Path

from paraph.checks.catalogue import catalogue
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.environment import Environment
from paraph.checks.harness.http.markup import require_form
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.install_steps import Installed, begin, install
from paraph.checks.harness.masking import mask, printable
from paraph.checks.harness.readiness import telling_lines
from paraph.checks.harness.removal_steps import control_used
from paraph.checks.harness.stored import read_cells, sealed_columns, stored_text
from paraph.checks.harness.webhook_steps import control_delivery
from paraph.checks.target import fill
from paraph.checks.verdict import CaseEndedError, ControlFailedError
from paraph.errors import ConfigurationError

_SHOWN = 300
_MARKUP = re.compile(r"(?is)<(style|script)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>")
_LINES = 8
# Seconds in which a hook that another process serves must respond after the app is ready.
_HOOK_STARTS_WITHIN = 5.0
_DELIVERY_GROUPS = {"webhook", "challenge", "deauthorization"}
_READ_OUTPUT = "Read the output of the app, correct the target file, and run the check again."


class PreflightError(ConfigurationError):
    """The app does not work as its target file says, so no case can run.

    Args:
        step: the step that failed.
        cause: the observation, as one line.
        details: further lines: the requests, the responses, the output of the app.
        fix: what to change.
    """

    def __init__(self, step: str, cause: str, details: Sequence[str], fix: str) -> None:
        self.step, self.cause = step, cause
        super().__init__([f"preflight, {step}: {cause}", *details], remedy=fix or _READ_OUTPUT)


Step = tuple[str, Callable[[], object]]


def preflight(environment: Environment, ids: Sequence[str]) -> None:
    """Start the app and use it honestly: an installation, each hook, a delivery.

    Args:
        environment: the environment; it is left open if all steps succeed.
        ids: the cases that are to run; steps that none of them needs are left out.

    Raises:
        PreflightError: a step failed.
    """
    t = CaseContext(environment)
    try:
        for title, act in _steps(t, {catalogue()[one].group for one in ids}):
            since = t.zoom.mark()
            t.exchanges.clear()
            t.hooks.last = None
            try:
                act()
            except CaseEndedError as ended:
                raise _failed(t, title, ended, since, len(ids)) from None
    finally:
        t.close()


def _steps(t: CaseContext, groups: set[str]) -> Iterator[Step]:
    """Yield the steps that the target file and the chosen groups make possible."""
    yield "the start", t.environment.open
    installs = bool(t.environment.url("redirect"))
    done: list[Installed] = []
    if t.hooks.has("links"):
        yield "the hook `links`", lambda: _call(t, "links")
    if installs:
        yield "the start of an installation", lambda: begin(t, t.browser(t.subject()))
    if installs and groups != {"start"}:
        yield "an honest installation", lambda: done.append(install(t))
    for person in done:
        yield from _hook_steps(t, person)
    if t.environment.url("webhook") and groups & _DELIVERY_GROUPS:
        user = done[0].user if done else t.zoom.user()
        yield "an honest delivery", lambda: control_delivery(t, user)


def _hook_steps(t: CaseContext, done: Installed) -> Iterator[Step]:
    whose = {"subject": done.subject, "user_id": done.user.id}
    if t.hooks.has("use"):
        yield "the hook `use`", lambda: control_used(t, done)
    for name, values in (
        ("expire", whose),
        ("advance", {"seconds": str(t.environment.offset)}),
        ("events", {}),
        ("pending", {}),
        ("stored", {}),
    ):
        if t.hooks.has(name):
            yield f"the hook `{name}`", lambda n=name, v=values: _call(t, n, **v)  # type: ignore[misc]
    if t.hooks.has("disconnect"):
        yield "the hook `disconnect`", lambda: _disconnect(t, done)
    if t.hooks.has("sign_out"):
        yield "the hook `sign_out`", lambda: _sign_out(t)
    yield "the stored data", lambda: _stored(t)


def _call(t: CaseContext, name: str, **values: str) -> None:
    """Call a hook and check its status and shape."""
    hook = t.hooks.require(name)
    fix = f"Correct `{name}` in [hooks], or the code of the app that responds to it."
    if not hook.command:
        t.until(lambda: t.hooks.send(hook, **values).status, _HOOK_STARTS_WITHIN)
        status = t.hooks.last.status if t.hooks.last else 0
        t.control(status < 400, f"the hook `{name}` got status {status}", fix)
    if name == "links":
        t.hooks.links()
    elif name in {"events", "pending", "stored"}:
        t.hooks.call_list(name, **values)
    else:
        t.hooks.call(name, **values)


def _disconnect(t: CaseContext, done: Installed) -> None:
    page = t.hooks.send_in_browser("disconnect", done.browser)
    try:
        require_form(page, "disconnect", "remove", "revoke", "delete", "unlink")
    except ControlFailedError as failed:
        fix = "Let the hook `disconnect` request the page with the form that disconnects."
        raise ControlFailedError(failed.reason, fix) from None


def _sign_out(t: CaseContext) -> None:
    response = t.hooks.send_in_browser("sign_out", t.browser(t.subject()))
    why = response.problem or f"status {response.status}"
    fix = "Correct `sign_out` in [hooks]."
    t.control(0 < response.status < 400, f"the hook `sign_out` got {why}", fix)


def _stored(t: CaseContext) -> None:
    """Read the files and columns that the target file names."""
    hooks = t.target.hooks
    values = t.environment.values()
    for name, path in (("log_file", hooks.log_file), ("database_file", hooks.database_file)):
        file = Path(fill(path, values))
        there = not path or file.exists()
        t.control(there, f"`{name}`: there is no file {file}", f"Correct `{name}` in [hooks].")
    if hooks.database_file:
        stored_text(t)
    if not hooks.sealed_columns:
        return
    for table, column in sealed_columns(t):
        try:
            read_cells(t, table, column)
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise ControlFailedError(
                f"{table}.{column} cannot be read: {error}", "Correct `sealed_columns` in [hooks]."
            ) from None


# ------------------------------------------------------------ the report of a failed step


def _failed(
    t: CaseContext, title: str, ended: CaseEndedError, since: int, cases: int
) -> PreflightError:
    details = []
    response = t.hooks.last or (t.exchanges[-1] if t.exchanges else None)
    if response is not None:
        details += _exchange(response)
    received = t.zoom.requests(since=since)[-3:]
    details += [one.line() for one in received]
    output = telling_lines(t.environment.app.output()) if t.environment.app else []
    details += [f"output of the app: {one[:_SHOWN]}" for one in output[-_LINES:]]
    details.append("1 case was not run" if cases == 1 else f"{cases} cases were not run")
    secrets = t.zoom.secrets()
    lines = [printable(mask(one, secrets)) for one in (ended.reason, *details)]
    return PreflightError(title, lines[0], lines[1:], ended.fix)


def _readable(response: Response) -> str:
    """Return the text of a page without its markup, style and scripts."""
    return unescape(_MARKUP.sub(" ", response.text)) if response.is_html else response.text


def _exchange(response: Response) -> list[str]:
    body = response.sent_body.decode("utf-8", "replace")
    sent = f"sent: {response.method} {response.url}"
    if not response.status:
        return [sent, f"received: no response ({response.problem})"]
    shown = " ".join(_readable(response).split())[:_SHOWN]
    where = f" → {response.location}" if response.location else ""
    return [
        f"{sent} {body[:_SHOWN]}".rstrip(),
        f"received: status {response.status}{where} {shown}".rstrip(),
    ]
