"""Faults: what Zoom is known to do wrong, or could, each by a name and one function.

A fault is off until it is switched on, counts down when it was given `times`, and composes with
others: each takes the answer that the one before it made. The place it works at is part of
its registration; the endpoints only say "this is the place".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from paraph.errors import NotFound, UsageError

Place = Literal["token_refusal", "token", "user", "check"]


@dataclass(slots=True)
class Answer:
    """An answer under way: what a fault may spoil before it is sent.

    `delay` is seconds before anything is sent; `cut` closes the connection instead.
    """

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False

    @classmethod
    def of_json(cls, status: int, content: Any) -> Answer:
        """A JSON answer as Zoom writes it."""
        body = json.dumps(content, separators=(",", ":")).encode()
        return cls(status, body, {"content-type": "application/json;charset=UTF-8"})

    def json(self) -> Any:
        """The content, to be changed and put back with `put_json`."""
        return json.loads(self.body)

    def put_json(self, content: Any) -> None:
        """Replace the content."""
        self.body = json.dumps(content, separators=(",", ":")).encode()


Spoil = Callable[[Answer, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """A named misbehaviour: where it works, what it does, in one line."""

    name: str
    place: Place
    documentation: str
    spoil: Spoil | None


_REGISTRY: dict[str, Fault] = {}


def fault(name: str, place: Place, documentation: str) -> Callable[[Spoil], Spoil]:
    """Register a function that spoils answers at a place."""

    def register(spoil: Spoil) -> Spoil:
        _REGISTRY[name] = Fault(name, place, documentation, spoil)
        return spoil

    return register


def _check(name: str, documentation: str) -> None:
    """Register a fault that leaves out a check; the endpoint asks for it by name."""
    _REGISTRY[name] = Fault(name, "check", documentation, None)


class Faults:
    """Which faults are on."""

    def __init__(self) -> None:
        self._on: dict[str, dict[str, Any]] = {}

    def switch_on(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Switch a fault on, for `times` occasions or until it is switched off."""
        if name not in _REGISTRY:
            raise NotFound(f"there is no fault {name}", remedy="GET /_simulator/faults lists them.")
        times = parameters.get("times")
        if times is not None and (not isinstance(times, int) or times < 1):
            raise UsageError("times must be a whole number from 1")
        self._on[name] = dict(parameters)

    def switch_off(self, name: str) -> None:
        """Switch a fault off."""
        if name not in _REGISTRY:
            raise NotFound(f"there is no fault {name}")
        self._on.pop(name, None)

    def clear(self) -> None:
        """Switch all of them off."""
        self._on.clear()

    def take(self, name: str) -> bool:
        """Whether a fault strikes now; counts down."""
        parameters = self._on.get(name)
        if parameters is None:
            return False
        if "times" in parameters:
            parameters["times"] -= 1
            if parameters["times"] <= 0:
                del self._on[name]
        return True

    def spoil(self, place: Place, answer: Answer) -> Answer:
        """Let every fault that is on at a place have its way with an answer."""
        for name, parameters in list(self._on.items()):
            registered = _REGISTRY[name]
            if registered.place == place and registered.spoil is not None and self.take(name):
                registered.spoil(answer, parameters)
        return answer

    def listing(self) -> list[dict[str, Any]]:
        """Every fault with its documentation, and whether it is on."""
        return [
            {
                "name": one.name,
                "place": one.place,
                "documentation": one.documentation,
                "on": one.name in self._on,
                "parameters": self._on.get(one.name, {}),
            }
            for one in sorted(_REGISTRY.values(), key=lambda one: (one.place, one.name))
        ]


_check("state_dropped", "The redirect leaves out the state, as the Marketplace's own links do.")
_check("code_reuse_accepted", "A code can be exchanged again.")
_check("pkce_not_enforced", "A code is given tokens whatever the verifier.")
_check("old_refresh_token_accepted", "A spent refresh token works again.")
_check("user_of_another", "users/me describes another user of the world.")
_check("delivery_duplicated", "Every delivery is sent twice.")


# A refusal strikes before anything is done: no code and no refresh token is spent by it.
@fault("token_unavailable", "token_refusal", "The token endpoint answers 503.")
def _token_unavailable(answer: Answer, _parameters: Mapping[str, Any]) -> None:
    answer.status, answer.body = 503, b"Service Unavailable"
    answer.headers = {"content-type": "text/plain"}


@fault("token_rate_limited", "token_refusal", "The token endpoint answers 429 with Retry-After.")
def _token_rate_limited(answer: Answer, _parameters: Mapping[str, Any]) -> None:
    answer.status, answer.body = 429, b"{}"
    answer.headers = {"content-type": "application/json", "retry-after": "30"}


@fault("token_html", "token", "The token endpoint answers 200 with an HTML page.")
def _token_html(answer: Answer, _parameters: Mapping[str, Any]) -> None:
    answer.status, answer.body = 200, b"<!doctype html><title>Welcome</title><p>Sign in to Wi-Fi"
    answer.headers = {"content-type": "text/html"}


@fault("token_slow", "token", "The token endpoint answers after `seconds` (default 60).")
def _token_slow(answer: Answer, parameters: Mapping[str, Any]) -> None:
    answer.delay += float(parameters.get("seconds", 60))


@fault("token_cut", "token", "The work is done, and the connection closed without an answer.")
def _token_cut(answer: Answer, _parameters: Mapping[str, Any]) -> None:
    answer.cut = True


@fault("token_huge", "token", "The answer is followed by two mebibytes of white space.")
def _token_huge(answer: Answer, _parameters: Mapping[str, Any]) -> None:
    answer.body += b" " * (2 << 20)


@fault("token_redirect", "token", "The token endpoint redirects (307) to `location`.")
def _token_redirect(answer: Answer, parameters: Mapping[str, Any]) -> None:
    answer.status, answer.body = 307, b""
    answer.headers = {"location": str(parameters.get("location", "http://127.0.0.1:9/"))}


@fault("token_type_unknown", "token", "The token type is `mac`.")
def _token_type_unknown(answer: Answer, _parameters: Mapping[str, Any]) -> None:
    _change(answer, token_type="mac")


@fault("token_scope_missing", "token", "The response grants no scope at all.")
def _token_scope_missing(answer: Answer, _parameters: Mapping[str, Any]) -> None:
    _change(answer, scope="")


@fault("token_api_url_hostile", "token", "api_url names `url`, by default a metadata address.")
def _token_api_url_hostile(answer: Answer, parameters: Mapping[str, Any]) -> None:
    _change(answer, api_url=str(parameters.get("url", "http://169.254.169.254")))


@fault("user_unavailable", "user", "users/me answers 503.")
def _user_unavailable(answer: Answer, _parameters: Mapping[str, Any]) -> None:
    answer.status, answer.body = 503, b"{}"


@fault("user_unauthorized", "user", "users/me answers 401 with code 124.")
def _user_unauthorized(answer: Answer, _parameters: Mapping[str, Any]) -> None:
    answer.status = 401
    answer.put_json({"code": 124, "message": "Invalid access token."})


@fault("user_html", "user", "users/me answers 200 with an HTML page.")
def _user_html(answer: Answer, _parameters: Mapping[str, Any]) -> None:
    answer.status, answer.body = 200, b"<!doctype html><title>Welcome</title>"
    answer.headers = {"content-type": "text/html"}


@fault("user_without_id", "user", "users/me leaves out the user's id.")
def _user_without_id(answer: Answer, _parameters: Mapping[str, Any]) -> None:
    content = answer.json()
    content.pop("id", None)
    answer.put_json(content)


@fault("user_hostile_name", "user", "The display name is markup.")
def _user_hostile_name(answer: Answer, _parameters: Mapping[str, Any]) -> None:
    _change(answer, display_name="<script>alert(1)</script>\u202e")


@fault("user_slow", "user", "users/me answers after `seconds` (default 60).")
def _user_slow(answer: Answer, parameters: Mapping[str, Any]) -> None:
    answer.delay += float(parameters.get("seconds", 60))


def _change(answer: Answer, **fields: Any) -> None:
    if answer.status == 200:
        answer.put_json({**answer.json(), **fields})
