"""The state of one replay: browsers, kept values, faults, and the points in journal and history."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from paraph.simulator.browser.browser import Browser
from paraph.simulator.running import SimulatedZoom
from paraph.simulator.scenarios.steps import DeliveryMatch, RequestMatch

_SECONDS = 30.0
_VALUE = re.compile(r"\$\{([\w.\-]+)\}")


class Failed(Exception):
    """A step cannot be done, or what it waits for does not happen."""


class Place:
    """One replay at a running simulator.

    Args:
        zoom: the simulator.
        start_url: the URL at which the app starts an install; "" if the scenario names no such URL.

    Attributes:
        values: the values that texts may name.
        response: the last response of the app in this step: its status and its text.
        url: the URL of the page that this step led to.
        program: sends requests that no browser sends.
        delivery: the id of the last delivery.
        earlier_attempts: the number of attempts that a repeated delivery had before this step.
    """

    def __init__(self, zoom: SimulatedZoom, start_url: str) -> None:
        self.zoom = zoom
        self.start_url = start_url
        app = zoom.app
        self.values = {
            "zoom": zoom.url,
            "app": "{0.scheme}://{0.netloc}".format(urlsplit(start_url)),
            "client_id": app.client_id,
            "redirect_uri": app.redirect_uris[0] if app.redirect_uris else "",
            "webhook": app.event_url,
        }
        self.response: tuple[int, str] | None = None
        self.url = ""
        self.delivery = ""
        self.earlier_attempts = 0
        self.program = httpx.Client(trust_env=False, timeout=_SECONDS)
        self._browsers: dict[str, Browser] = {}
        self._faults: dict[str, ExitStack] = {}
        self._first = self._newest_request()
        self._known = {one["id"] for one in zoom.deliveries()}
        self._step_first, self._step_known = self._first, self._known

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        for name in list(self._faults):
            self.switch_off(name)
        self.program.close()
        for browser in self._browsers.values():
            browser.close()

    def begin_step(self) -> None:
        """Note where journal and history stand, and drop the response of the step before."""
        self.response, self.url, self.earlier_attempts = None, "", 0
        self._step_first = self._newest_request()
        self._step_known = {one["id"] for one in self.zoom.deliveries()}

    def browser(self, name: str) -> Browser:
        """Return the browser of a name; each has its own cookies."""
        if name not in self._browsers:
            self._browsers[name] = Browser(self.zoom.simulator)
        return self._browsers[name]

    def show(self, page: httpx.Response) -> None:
        """Note a page as the response of this step."""
        self.response, self.url = (page.status_code, page.text), str(page.url)

    def fill(self, text: str) -> str:
        """Put the values into a text.

        Raises:
            Failed: the text names a value that no step has kept.
        """

        def value(found: re.Match[str]) -> str:
            if found[1] not in self.values:
                raise Failed(f"no step has kept the value ${{{found[1]}}}")
            return self.values[found[1]]

        return _VALUE.sub(value, text)

    def fill_all(self, content: Any) -> Any:
        """Put the values into every text of a table or list."""
        if isinstance(content, str):
            return self.fill(content)
        if isinstance(content, dict):
            return {key: self.fill_all(value) for key, value in content.items()}
        return [self.fill_all(one) for one in content] if isinstance(content, list) else content

    def user_id(self, user: str) -> str:
        """Return the id of a user that is named by id or e-mail address; "" for the first one."""
        return self.zoom.world.chosen_user(user).id

    def switch_on(self, name: str, settings: dict[str, Any]) -> None:
        """Switch a fault on until it is switched off, or the replay ends."""
        self.switch_off(name)
        self._faults[name] = ExitStack()
        self._faults[name].enter_context(self.zoom.fault(name, **settings))

    def switch_off(self, name: str) -> None:
        """Switch a fault off."""
        stack = self._faults.pop(name, None)
        if stack is not None:
            stack.close()

    def requests(self, match: RequestMatch, *, whole: bool) -> list[dict[str, Any]]:
        """Return the requests in the journal that match.

        Args:
            match: the path, and perhaps more.
            whole: count since the start of the scenario, instead of the step.
        """
        since = self._first if whole else self._step_first
        values = self.fill_all(match.values)
        return [
            one
            for one in self.zoom.journal(self.fill(match.path))
            if one["number"] > since
            and match.method in {"", one["method"]}
            and match.status in {None, one["status"]}
            and all(
                [name, value] in [*one["query"], *one["form"]] for name, value in values.items()
            )
        ]

    def deliveries(self, match: DeliveryMatch, *, whole: bool) -> list[dict[str, Any]]:
        """Return the deliveries with a response that match; arguments as in `requests`."""
        known = self._known if whole else self._step_known
        return [
            one
            for one in self.zoom.deliveries()
            if one["id"] not in known
            and match.event in {"", one["event"]}
            and len(one["attempts"]) >= (1 if match.attempts is None else match.attempts)
            and match.status in {None, one["attempts"][-1]["status"] if one["attempts"] else None}
        ]

    def wait_for(self, condition: Callable[[], Any], description: str, within: float) -> None:
        """Wait until a condition holds.

        Args:
            condition: returns a true value once it holds.
            description: what is waited for, for the failure.
            within: the deadline, in seconds.

        Raises:
            Failed: it did not hold within the deadline.
        """
        try:
            self.zoom.wait_until(condition, seconds=within)
        except TimeoutError:
            raise Failed(f"{description} did not happen within {within:g} s") from None

    def _newest_request(self) -> int:
        entries = self.zoom.journal()
        return int(entries[-1]["number"]) if entries else 0
