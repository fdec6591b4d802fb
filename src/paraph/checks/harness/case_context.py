"""The base of every case: expectations, hooks, browsers, and marks in the record of requests."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from paraph.checks.harness.browser import Browser, Sender
from paraph.checks.harness.environment import Stage
from paraph.checks.harness.markup import Form, forms_of
from paraph.checks.harness.recording_zoom import TOKEN, Seen, Zoom
from paraph.checks.harness.response import Answer
from paraph.checks.target import Hook, fill
from paraph.checks.verdict import ControlFailedError, ExpectationFailedError, HookMissingError

_MAX_EVIDENCE = 40


class Ground:
    """The context of one case.

    Args:
        stage: the environment with the app and the simulated Zoom.
        number: the number of the case, from which it derives its own source addresses.
    """

    def __init__(self, stage: Stage, number: int = 0) -> None:
        self.stage = stage
        self.exchanges: list[Answer] = []
        self._number = number
        self._senders: list[Sender] = []
        self._begun = len(stage.zoom.seen)
        self._subjects = list(stage.target.subjects)
        self.direct = self.sender()

    # ------------------------------------------------------------ verdicts

    def expect(self, holds: object, otherwise: str) -> None:
        """Fail the case with the reason `otherwise` unless `holds` is true.

        Raises:
            ExpectationFailedError: `holds` is false.
        """
        if not holds:
            raise ExpectationFailedError(otherwise)

    def control(self, holds: object, otherwise: str) -> None:
        """End the case as inconclusive unless `holds` is true.

        Raises:
            ControlFailedError: `holds` is false.
        """
        if not holds:
            raise ControlFailedError(otherwise)

    def expect_answered(self, answer: Answer, what: str) -> Answer:
        """Fail the case unless a response came whose status is no server error."""
        self.expect(answer.status, f"{what}: no answer came ({answer.problem})")
        # 501 and 505 mean "not supported here", which is a refusal and no failure.
        fine = answer.status < 500 or answer.status in {501, 505}
        self.expect(fine, f"{what} was answered {answer.status}")
        return answer

    def expect_came(self, answer: Answer, what: str) -> Answer:
        """Fail the case unless any response came: a 5xx without an effect is an ugly refusal.

        Use `expect_answered` in cases that check that the app does not break.
        """
        self.expect(answer.status, f"{what}: no answer came ({answer.problem})")
        return answer

    # ------------------------------------------------------------ the parties

    @property
    def zoom(self) -> Zoom:
        """The simulated Zoom behind the app."""
        return self.stage.zoom

    @property
    def has_addresses(self) -> bool:
        """True if each sender can have its own address, as attackers and users do."""
        return self.stage.base.startswith("http://127.")

    def demand_addresses(self) -> None:
        """End the case as not applicable if all senders share one address."""
        if not self.has_addresses:
            raise HookMissingError(
                "needs an app at http://127.0.0.1, to attack from other addresses"
            )

    def sender(self) -> Sender:
        """Make a sender with an address that no other case uses."""
        count = len(self._senders)
        address = ""
        if self.has_addresses:
            address = f"127.{20 + self._number % 200}.{os.getpid() % 250 + 1}.{count % 250 + 1}"
        made = Sender(address, self.exchanges.append, reach=self.stage.reach)
        self._senders.append(made)
        return made

    def close(self) -> None:
        """Close all connections."""
        for one in self._senders:
            one.close()

    def subject(self) -> str:
        """Return a local account that no other case has used."""
        if self.stage.target.subjects:
            self.control(self._subjects, "the target names too few subjects")
            return self._subjects.pop(0)
        return f"person-{os.urandom(4).hex()}"

    def browser(self, subject: str = "") -> Browser:
        """Open a browser with a new profile, signed in where the target has local accounts."""
        made = Browser(self.direct, self.stage.origins)
        if subject:
            self.sign_in(made, subject)
        return made

    def sign_in(self, browser: Browser, subject: str) -> None:
        """Sign a browser in, if the target has local accounts."""
        hook = self.stage.target.hooks.sign_in
        if hook is not None:
            answer = self._in_browser(browser, hook, subject=subject)
            self.control(0 < answer.status < 400, f"sign-in was answered {answer.status}")

    # ------------------------------------------------------------ hooks

    def hook(self, name: str) -> Hook:
        """Return a hook of the target.

        Raises:
            HookMissingError: the target has no such hook; the case is not applicable.
        """
        found: Hook | None = getattr(self.stage.target.hooks, name)
        if found is None:
            raise HookMissingError(f"needs the hook `{name}`")
        return found

    def has(self, name: str) -> bool:
        """Return True if the target has a hook."""
        return bool(getattr(self.stage.target.hooks, name))

    def url(self, name: str) -> str:
        """Return one of the app's URLs.

        Raises:
            HookMissingError: the target names no such URL; the case is not applicable.
        """
        found = self.stage.url(name)
        if not found:
            raise HookMissingError(f"needs urls.{name}")
        return found

    def call(self, name: str, **values: str) -> Any:
        """Call a hook outside the browsers; return its JSON, or its status if it sends no JSON."""
        return self._call(self.hook(name), name, values)

    def _call(self, hook: Hook, name: str, values: Mapping[str, str]) -> Any:
        known = {**self.stage.values(), **values}
        if hook.command:
            done = subprocess.run(
                [fill(part, known) for part in hook.command],
                capture_output=True,
                timeout=60,
                check=False,
            )
            self.control(done.returncode == 0, f"the hook `{name}` ended with {done.returncode}")
            return json.loads(done.stdout or b"null")
        answer = self.ask(hook, **values)
        self.control(answer.status, f"the hook `{name}` was not answered: {answer.problem}")
        content = answer.json()
        return answer.status if content is None else content

    def ask(self, hook: Hook, **values: str) -> Answer:
        """Send a hook's request outside the browsers."""
        known = {**self.stage.values(), **values}
        headers = [(n, fill(v, known)) for n, v in hook.headers.items()]
        body = None
        if hook.json is not None:
            body = json.dumps({n: fill(v, known) for n, v in hook.json.items()}).encode()
            headers.append(("content-type", "application/json"))
        made = Sender("", lambda _answer: None, timeout=40, reach=self.stage.reach)
        try:
            return made.send(hook.method, fill(hook.url, known), headers=headers, body=body)
        finally:
            made.close()

    def in_browser(self, name: str, browser: Browser, **values: str) -> Answer:
        """Send a hook's request in a browser."""
        return self._in_browser(browser, self.hook(name), **values)

    def _in_browser(self, browser: Browser, hook: Hook, **values: str) -> Answer:
        known = {**self.stage.values(), **values}
        url = fill(hook.url, known)
        page = f"{url.split('/', 3)[0]}//{url.split('/', 3)[2]}/"
        form = None if hook.form is None else {n: fill(v, known) for n, v in hook.form.items()}
        if hook.method == "GET" and form is None:
            return browser.open(url, initiator=page)
        answer = browser.request(hook.method, url, initiator=page, form=form or {})
        return browser.follow(answer, initiator=page)

    def press(self, browser: Browser, page: Answer, *words: str) -> Answer | None:
        """Submit the first form whose action contains one of the words; None if none does."""
        form = self.form(page, *words)
        return None if form is None else browser.submit(form)

    def form(self, page: Answer, *words: str) -> Form | None:
        """Find the first form whose action contains one of the words."""
        found = [one for one in forms_of(page) if not words or any(w in one.action for w in words)]
        return found[0] if found else None

    # ------------------------------------------------------------ state of the app

    def links(self) -> list[tuple[str, str, str]]:
        """Return every link as (subject, Zoom user, Zoom account); empty without the hook."""
        if not self.has("links"):
            return []
        content = self.call("links")
        self.control(isinstance(content, list), "the hook `links` must answer with a JSON list")
        return sorted(
            (str(one.get("subject")), str(one.get("user_id")), str(one.get("account_id")))
            for one in content
        )

    def linked(self, subject: str = "", user: str = "") -> bool:
        """Return True if a local account, or a Zoom user, has a link."""
        return any(
            (not subject or one[0] == subject) and (not user or one[1] == user)
            for one in self.links()
        )

    def use(self, subject: str, user: str = "") -> tuple[int, Sequence[Seen]]:
        """Let the app call Zoom's API for a subject; return its status and the calls seen."""
        before = self.mark()
        answer = self.ask(self.hook("use"), subject=subject, user_id=user)
        return answer.status, [
            one for one in self.zoom.seen[before:] if one.path.startswith("/v2/")
        ]

    def advance(self, seconds: float) -> None:
        """Move the app's own clock."""
        self.stage.offset += seconds
        self.call("advance", seconds=str(self.stage.offset))

    def now(self) -> float:
        """Return the app's time in epoch seconds, moved by `advance`."""
        return time.time() + self.stage.offset

    # ------------------------------------------------------------ requests seen by Zoom

    def mark(self) -> int:
        """Return the current position in Zoom's record."""
        return len(self.zoom.seen)

    def token_requests(self, since: int, kind: str = "") -> list[Seen]:
        """Return the requests to the token endpoint since a mark, of all grant types or of one."""
        return [
            one
            for one in self.zoom.requests(TOKEN, since=since)
            if not kind or one.parameters.get("grant_type") == kind
        ]

    def expect_no_exchange(self, since: int, what: str) -> None:
        """Fail the case if Zoom has received a token request since a mark."""
        count = len(self.token_requests(since))
        requests = "a token request" if count == 1 else f"{count} token requests"
        self.expect(not count, f"{what}: the app sent {requests} to Zoom")

    def until(self, holds: Callable[[], object], seconds: float) -> bool:
        """Wait until `holds` returns a true value, at most `seconds`; return whether it did."""
        deadline = time.monotonic() + seconds
        while True:
            if holds():
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)

    def evidence(self) -> list[str]:
        """Return the recorded exchanges, newest last, and the requests that Zoom received."""
        seen = [one.line() for one in self.zoom.seen[self._begun :]]
        return [one.evidence() for one in self.exchanges[-_MAX_EVIDENCE:]] + seen[-_MAX_EVIDENCE:]
