"""The context of a case: its environment, its browsers, and its expectations."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from paraph.checks.harness.environment import Environment
from paraph.checks.harness.hooks import Hooks
from paraph.checks.harness.http.browser import Browser
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.http.sender import Sender
from paraph.checks.harness.recording_zoom import Zoom
from paraph.checks.target import Limits, Target
from paraph.checks.verdict import ControlFailedError, ExpectationFailedError, HookMissingError

_MAX_EVIDENCE = 40
_SIGN_IN = "Let the hook `sign_in` send the request that signs {subject} in."


class CaseContext:
    """The context that a case and its steps work with; cases receive it as `t`.

    Args:
        environment: the environment with the app and the simulated Zoom.
        number: the number of the case, from which it derives its own source addresses.
    """

    def __init__(self, environment: Environment, number: int = 0) -> None:
        self.environment = environment
        self.hooks = Hooks(environment)
        self.exchanges: list[Response] = []
        self._number = number
        self._senders: list[Sender] = []
        self._first = environment.zoom.mark()
        self._subjects = list(environment.target.subjects)
        self.direct = self.sender()

    @property
    def zoom(self) -> Zoom:
        """The simulated Zoom behind the app."""
        return self.environment.zoom

    @property
    def target(self) -> Target:
        """The target file of the app."""
        return self.environment.target

    @property
    def limits(self) -> Limits:
        """The limits that the app states."""
        return self.environment.target.limits

    # ------------------------------------------------------------ expectations

    def expect(self, holds: object, reason: str) -> None:
        """Fail the case with a reason unless `holds` is true.

        Raises:
            ExpectationFailedError: `holds` is false.
        """
        if not holds:
            raise ExpectationFailedError(reason)

    def control(self, holds: object, reason: str, fix: str = "") -> None:
        """End the case as inconclusive unless `holds` is true.

        Args:
            holds: the condition.
            reason: the observation, if it is false.
            fix: the change in the target file that lets the case go on.

        Raises:
            ControlFailedError: `holds` is false.
        """
        if not holds:
            raise ControlFailedError(reason, fix)

    def expect_no_error(self, response: Response, what: str, *, asked: object = False) -> Response:
        """Fail the case unless a response came and its status is no server error.

        Args:
            response: the response to check; it is returned.
            what: the request, as the subject of the reason.
            asked: true if the app has sent a request to Zoom, whose refusal it may report.

        Raises:
            ExpectationFailedError: no response came, or one with a server error.
        """
        self.expect_response(response, what)
        # 501 and 505 mean "not supported here", which is a refusal and no failure. With 502 and 504
        # the app reports that Zoom has refused.
        refusals = {501, 502, 504, 505} if asked else {501, 505}
        fine = response.status < 500 or response.status in refusals
        self.expect(fine, f"{what} got status {response.status}")
        return response

    def expect_response(self, response: Response, what: str) -> Response:
        """Fail the case unless any response came. A 5xx counts as a refusal here.

        Use `expect_no_error` in cases that check that the app does not break.

        Raises:
            ExpectationFailedError: no response came.
        """
        self.expect(response.status, f"{what}: no response came ({response.problem})")
        return response

    def expect_no_exchange(self, since: int, what: str) -> None:
        """Fail the case if Zoom has received a token request since a mark.

        Raises:
            ExpectationFailedError: Zoom has received one.
        """
        count = len(self.zoom.token_requests(since))
        requests = "a token request" if count == 1 else f"{count} token requests"
        self.expect(not count, f"{what}: the app sent {requests} to Zoom")

    # ------------------------------------------------------------ the parties

    @property
    def has_addresses(self) -> bool:
        """True if each sender can have its own address, as attackers and users do."""
        return self.environment.base.startswith("http://127.")

    def demand_addresses(self) -> None:
        """End the case as not applicable if all senders share one address.

        Raises:
            HookMissingError: they share one.
        """
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
        made = Sender(address, self.exchanges.append, reach=self.environment.reach)
        self._senders.append(made)
        return made

    def close(self) -> None:
        """Close all connections."""
        for one in self._senders:
            one.close()

    def subject(self) -> str:
        """Return a local account that no other case has used.

        Raises:
            ControlFailedError: every account that the target names is used.
        """
        if self.target.subjects:
            self.control(self._subjects, "the target names too few subjects")
            return self._subjects.pop(0)
        return f"person-{os.urandom(4).hex()}"

    def browser(self, subject: str = "") -> Browser:
        """Open a browser with a new profile, signed in where the target has local accounts."""
        made = Browser(self.direct, self.environment.origins)
        if subject:
            self.sign_in(made, subject)
        return made

    def sign_in(self, browser: Browser, subject: str) -> None:
        """Sign a browser in, if the target has local accounts.

        Raises:
            ControlFailedError: signing in fails.
        """
        if self.hooks.has("sign_in"):
            response = self.hooks.send_in_browser("sign_in", browser, subject=subject)
            why = response.problem or f"status {response.status}"
            self.control(0 < response.status < 400, f"sign-in got {why}", _SIGN_IN)

    def url(self, name: str) -> str:
        """Return one of the app's URLs.

        Raises:
            HookMissingError: the target names no such URL; the case is not applicable.
        """
        found = self.environment.url(name)
        if not found:
            raise HookMissingError(f"needs `urls.{name}`")
        return found

    # ------------------------------------------------------------ time and evidence

    def now(self) -> float:
        """Return the app's time in epoch seconds, moved by the hook `advance`."""
        return time.time() + self.environment.offset

    def until(self, holds: Callable[[], object], seconds: float | None = None) -> bool:
        """Wait until `holds` returns a true value; return whether it did.

        Args:
            holds: called every 50 ms.
            seconds: the longest wait; None means the time that the target needs for an effect.
        """
        deadline = time.monotonic() + (self.limits.effect_within if seconds is None else seconds)
        while True:
            if holds():
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)

    def evidence(self) -> list[str]:
        """Return the recorded exchanges, newest last, and the requests that Zoom received."""
        received = [one.line() for one in self.zoom.requests(since=self._first)]
        exchanged = [one.evidence() for one in self.exchanges[-_MAX_EVIDENCE:]]
        return exchanged + received[-_MAX_EVIDENCE:]
