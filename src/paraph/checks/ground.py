"""What every case stands on: expectations, hooks, browsers, and the marks in Zoom's record."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from paraph.checks.answer import Answer
from paraph.checks.browser import Browser, Sender
from paraph.checks.markup import Form, forms_of
from paraph.checks.stage import Stage
from paraph.checks.target import Hook, fill
from paraph.checks.verdict import ControlFailedError, ExpectationFailedError, HookMissingError
from paraph.checks.zoom import TOKEN, Seen, Zoom

_MAX_EVIDENCE = 40


class Ground:
    """One case on one stage.

    Args:
        stage: where it plays.
        number: tells cases apart: each sends from an address of its own where it can.
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
        """The case fails unless this holds."""
        if not holds:
            raise ExpectationFailedError(otherwise)

    def control(self, holds: object, otherwise: str) -> None:
        """The case proves nothing unless this holds."""
        if not holds:
            raise ControlFailedError(otherwise)

    def expect_answered(self, answer: Answer, what: str) -> Answer:
        """An answer came, and it is no 5xx."""
        self.expect(answer.status, f"{what}: no answer came ({answer.problem})")
        # 501 and 505 are words for "not here", no failure.
        fine = answer.status < 500 or answer.status in {501, 505}
        self.expect(fine, f"{what} was answered {answer.status}")
        return answer

    def expect_came(self, answer: Answer, what: str) -> Answer:
        """Any answer at all: an app that breaks and does nothing has refused, in an ugly way.

        `expect_answered` is for cases whose point is that it must not break.
        """
        self.expect(answer.status, f"{what}: no answer came ({answer.problem})")
        return answer

    # ------------------------------------------------------------ the parties

    @property
    def zoom(self) -> Zoom:
        """The Zoom behind the app."""
        return self.stage.zoom

    @property
    def has_addresses(self) -> bool:
        """True if each sender has its own address, as attackers and honest senders have."""
        return self.stage.base.startswith("http://127.")

    def demand_addresses(self) -> None:
        """End a case as not applicable where all senders have one address."""
        if not self.has_addresses:
            raise HookMissingError(
                "needs an app at http://127.0.0.1, to attack from other addresses"
            )

    def sender(self) -> Sender:
        """A client of its own, at an address that no other case uses."""
        count = len(self._senders)
        address = ""
        if self.has_addresses:
            address = f"127.{20 + self._number % 200}.{os.getpid() % 250 + 1}.{count % 250 + 1}"
        made = Sender(address, self.exchanges.append, reach=self.stage.reach)
        self._senders.append(made)
        return made

    def close(self) -> None:
        """Let go of connections."""
        for one in self._senders:
            one.close()

    def subject(self) -> str:
        """Another local account that no case has used."""
        if self.stage.target.subjects:
            self.control(self._subjects, "the target names too few subjects")
            return self._subjects.pop(0)
        return f"person-{os.urandom(4).hex()}"

    def browser(self, subject: str = "") -> Browser:
        """A fresh profile; signed in as a local account where the app has such."""
        made = Browser(self.direct, self.stage.origins)
        if subject:
            self.sign_in(made, subject)
        return made

    def sign_in(self, browser: Browser, subject: str) -> None:
        """Sign a browser in, where the target has local accounts."""
        hook = self.stage.target.hooks.sign_in
        if hook is not None:
            answer = self._in_browser(browser, hook, subject=subject)
            self.control(0 < answer.status < 400, f"sign-in was answered {answer.status}")

    # ------------------------------------------------------------ hooks

    def hook(self, name: str) -> Hook:
        """A hook of the target, or the case ends as not applicable."""
        found: Hook | None = getattr(self.stage.target.hooks, name)
        if found is None:
            raise HookMissingError(f"needs the hook `{name}`")
        return found

    def has(self, name: str) -> bool:
        """Whether the target has a hook."""
        return bool(getattr(self.stage.target.hooks, name))

    def url(self, name: str) -> str:
        """One of the app's URLs, or the case ends as not applicable."""
        found = self.stage.url(name)
        if not found:
            raise HookMissingError(f"needs urls.{name}")
        return found

    def call(self, name: str, **values: str) -> Any:
        """Call a hook beside the browsers; its JSON answer, or its status where it has none."""
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
        """Send a hook's request beside the browsers."""
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
        """Do what a hook says in a browser."""
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
        """Submit the first form of a page whose action has one of the words, if there is one."""
        form = self.form(page, *words)
        return None if form is None else browser.submit(form)

    def form(self, page: Answer, *words: str) -> Form | None:
        """The first form of a page whose action has one of the words."""
        found = [one for one in forms_of(page) if not words or any(w in one.action for w in words)]
        return found[0] if found else None

    # ------------------------------------------------------------ state of the app

    def links(self) -> list[tuple[str, str, str]]:
        """Every link as (subject, Zoom user, Zoom account); nothing where there is no hook."""
        if not self.has("links"):
            return []
        content = self.call("links")
        self.control(isinstance(content, list), "the hook `links` must answer with a JSON list")
        return sorted(
            (str(one.get("subject")), str(one.get("user_id")), str(one.get("account_id")))
            for one in content
        )

    def linked(self, subject: str = "", user: str = "") -> bool:
        """Whether a local account, or a Zoom user, has a link."""
        return any(
            (not subject or one[0] == subject) and (not user or one[1] == user)
            for one in self.links()
        )

    def use(self, subject: str, user: str = "") -> tuple[int, Sequence[Seen]]:
        """Let the app call Zoom's API for somebody: its status, and what Zoom saw."""
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
        """The time as the app sees it."""
        return time.time() + self.stage.offset

    # ------------------------------------------------------------ what Zoom saw

    def mark(self) -> int:
        """A place in Zoom's record."""
        return len(self.zoom.seen)

    def token_requests(self, since: int, kind: str = "") -> list[Seen]:
        """Requests to the token endpoint since a mark."""
        return [
            one
            for one in self.zoom.requests(TOKEN, since=since)
            if not kind or one.parameters.get("grant_type") == kind
        ]

    def expect_no_exchange(self, since: int, what: str) -> None:
        """Zoom has seen no token request."""
        count = len(self.token_requests(since))
        requests = "a token request" if count == 1 else f"{count} token requests"
        self.expect(not count, f"{what}: the app sent {requests} to Zoom")

    def until(self, holds: Callable[[], object], seconds: float) -> bool:
        """Wait until something holds, at most so long."""
        deadline = time.monotonic() + seconds
        while True:
            if holds():
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)

    def evidence(self) -> list[str]:
        """The recorded exchanges, newest last, and what Zoom saw."""
        seen = [one.line() for one in self.zoom.seen[self._begun :]]
        return [one.evidence() for one in self.exchanges[-_MAX_EVIDENCE:]] + seen[-_MAX_EVIDENCE:]
