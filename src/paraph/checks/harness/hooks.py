"""The hooks of the target: requests and commands by which a case observes and steers the app."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from paraph.checks.harness.environment import Environment
from paraph.checks.harness.http.browser import Browser
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.http.sender import Sender
from paraph.checks.harness.zoom_messages import ReceivedRequest
from paraph.checks.target import Hook, fill
from paraph.checks.verdict import ControlFailedError, HookMissingError


class Hooks:
    """The hooks of one environment's target.

    Args:
        environment: the environment with the running app.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        # The response to the newest request outside the browsers.
        self.last: Response | None = None

    def has(self, name: str) -> bool:
        """Return True if the target has a hook."""
        return bool(getattr(self._environment.target.hooks, name))

    def require(self, name: str) -> Hook:
        """Return a hook of the target.

        Raises:
            HookMissingError: the target has no such hook; the case is not applicable.
        """
        found: Hook | None = getattr(self._environment.target.hooks, name)
        if found is None:
            raise HookMissingError(f"needs the hook `{name}`")
        return found

    def call(self, name: str, **values: str) -> Any:
        """Call a hook outside the browsers; return its JSON, or its status if it sends no JSON.

        Args:
            name: the hook.
            values: the values of its placeholders.

        Raises:
            HookMissingError: the target has no such hook.
            ControlFailedError: the command fails, prints no JSON, or no response comes.
        """
        hook = self.require(name)
        if hook.command:
            return self._run(hook, name, values)
        response = self.send(hook, **values)
        if not response.status:
            raise ControlFailedError(
                f"the hook `{name}` sent no response: {response.problem}",
                f"Correct the URL of `{name}` in [hooks].",
            )
        content = response.json()
        return response.status if content is None else content

    def call_list(self, name: str, **values: str) -> list[Any]:
        """Call a hook that returns a JSON list.

        Raises:
            HookMissingError: the target has no such hook.
            ControlFailedError: it returns something else.
        """
        content = self.call(name, **values)
        if not isinstance(content, list):
            raise ControlFailedError(
                f"the hook `{name}` must return a JSON list",
                f"Correct `{name}` in [hooks], or the code of the app that responds to it.",
            )
        return content

    def _run(self, hook: Hook, name: str, values: Mapping[str, str]) -> Any:
        known = {**self._environment.values(), **values}
        command = [fill(part, known) for part in hook.command]
        try:
            done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise ControlFailedError(
                f"the hook `{name}` cannot be run: {error}", f"Correct `{name}` in [hooks]."
            ) from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise ControlFailedError(
                ": ".join([f"the hook `{name}` ended with {done.returncode}", *said])
            )
        try:
            return json.loads(done.stdout or b"null")
        except ValueError:
            raise ControlFailedError(f"the hook `{name}` must print JSON") from None

    def send(self, hook: Hook, **values: str) -> Response:
        """Send a hook's request outside the browsers."""
        known = {**self._environment.values(), **values}
        headers = _headers(hook, known)
        body = None
        if hook.json is not None:
            body = json.dumps({n: fill(v, known) for n, v in hook.json.items()}).encode()
            headers.append(("content-type", "application/json"))
        sender = Sender("", lambda _response: None, timeout=40, reach=self._environment.reach)
        try:
            url = fill(hook.url, known)
            self.last = sender.send(hook.method, url, headers=headers, body=body)
            return self.last
        finally:
            sender.close()

    def send_in_browser(self, name: str, browser: Browser, **values: str) -> Response:
        """Send a hook's request in a browser and follow redirects inside the app.

        Raises:
            HookMissingError: the target has no such hook.
        """
        hook = self.require(name)
        known = {**self._environment.values(), **values}
        url = fill(hook.url, known)
        page = f"{url.split('/', 3)[0]}//{url.split('/', 3)[2]}/"
        form = None if hook.form is None else {n: fill(v, known) for n, v in hook.form.items()}
        headers = _headers(hook, known)
        if hook.method == "GET" and form is None:
            return browser.open(url, initiator=page, headers=headers)
        response = browser.request(
            hook.method, url, initiator=page, form=form or {}, headers=headers
        )
        return browser.follow(response, initiator=page)

    # ------------------------------------------------------------ state of the app

    def links(self) -> list[tuple[str, str, str]]:
        """Return every link as (subject, Zoom user, Zoom account); empty without the hook.

        Raises:
            ControlFailedError: the hook does not return a JSON list.
        """
        if not self.has("links"):
            return []
        content = self.call_list("links")
        if not all(isinstance(one, dict) and "user_id" in one for one in content):
            raise ControlFailedError(
                "the hook `links` must return a list of objects with `user_id`",
                'Return {"subject", "user_id", "account_id"} for each link.',
            )
        return sorted(
            (str(one.get("subject")), str(one.get("user_id")), str(one.get("account_id")))
            for one in content
        )

    def linked(self, subject: str = "", user: str = "") -> bool:
        """Return True if a local account, or a Zoom user, has a link.

        An app without the hook `sign_in` has no local accounts, so only the user counts there.
        """
        if user and not self.has("sign_in"):
            subject = ""
        return any(
            (not subject or one[0] == subject) and (not user or one[1] == user)
            for one in self.links()
        )

    def use(self, subject: str, user: str = "") -> tuple[int, Sequence[ReceivedRequest]]:
        """Let the app call Zoom's API for a subject; return the hook's status and the calls.

        Raises:
            HookMissingError: the target has no hook `use`.
        """
        zoom = self._environment.zoom
        before = zoom.mark()
        response = self.send(self.require("use"), subject=subject, user_id=user)
        return response.status, zoom.requests("/v2/", since=before)

    def advance(self, seconds: float) -> None:
        """Move the app's own clock ahead by `seconds`.

        Raises:
            HookMissingError: the target has no hook `advance`.
        """
        self._environment.offset += seconds
        self.call("advance", seconds=str(self._environment.offset))


def _headers(hook: Hook, known: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, fill(value, known)) for name, value in hook.headers.items()]
