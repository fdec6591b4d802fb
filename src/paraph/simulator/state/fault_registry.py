"""Declares faults, switches them on and applies them.

    @fault("token")
    def token_slow(response: Answer, *, seconds: float = 60.0) -> None:
        \"\"\"The token endpoint responds after `seconds`.\"\"\"
        response.delay += seconds

The function's name is the fault's name and its docstring the documentation. Its keyword arguments
are parameters, which may be set to a value of the default's type. Every fault also takes `times`
(applies that often, then is off) and `after` (skips that many occasions).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from paraph.errors import NotFound, UsageError

Place = Literal[
    "authorization",  # the redirect back to the app.
    "token_refusal",  # before the token endpoint does anything: nothing is spent.
    "token",  # after its work is done.
    "revoke_refusal",  # before a revocation is done.
    "api_refusal",  # before any resource is read.
    "user",  # the profile of users/me.
    "webhook",  # a delivery, before it is first sent.
    "challenge",  # a URL-validation challenge, after the faults of "webhook".
    "check",  # a check that an endpoint leaves out, asked for by name.
]
Subject = TypeVar("Subject")
Spoil = TypeVar("Spoil", bound=Callable[..., None])


@dataclass(frozen=True, slots=True)
class Fault:
    """A named misbehaviour: its place, its effect, its parameters."""

    name: str
    place: Place
    documentation: str
    parameters: Mapping[str, Any]
    spoil: Callable[..., None] | None


@dataclass(slots=True)
class _Armed:
    """A fault that is on.

    Attributes:
        left: how often it still applies; None until it is switched off.
        passing: the number of occasions that it skips first.
    """

    parameters: dict[str, Any]
    left: int | None
    passing: int


_REGISTRY: dict[str, Fault] = {}


def fault(place: Place) -> Callable[[Spoil], Spoil]:
    """Register a function that changes the object under way at a place."""

    def register(spoil: Spoil) -> Spoil:
        parameters = {
            one.name: one.default
            for one in inspect.signature(spoil).parameters.values()
            if one.kind is inspect.Parameter.KEYWORD_ONLY
        }
        _add(Fault(spoil.__name__, place, _one_line(spoil.__doc__), parameters, spoil))
        return spoil

    return register


def check(name: str, documentation: str) -> None:
    """Register a fault that omits a check; the endpoint asks for it by name."""
    _add(Fault(name, "check", documentation, {}, None))


def _add(one: Fault) -> None:
    if one.name in _REGISTRY:
        raise UsageError(f"two faults have the name {one.name}: rename one")
    _REGISTRY[one.name] = one


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self._on: dict[str, _Armed] = {}

    def switch_on(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Switch a fault on, for `times` occasions or until it is switched off.

        Args:
            name: the name of the fault.
            parameters: its parameters, and perhaps `times` and `after`.

        Raises:
            NotFound: there is no such fault.
            UsageError: a parameter is unknown or of the wrong type.
        """
        registered = _find(name)
        given = dict(parameters)
        times, after = given.pop("times", None), given.pop("after", 0)
        if times is not None and not _is_count(times, least=1):
            raise UsageError("times must be a whole number from 1")
        if not _is_count(after, least=0):
            raise UsageError("after must be a whole number from 0")
        for key, value in given.items():
            given[key] = _fitting(registered, key, value)
        self._on[name] = _Armed({**registered.parameters, **given}, times, after)

    def switch_off(self, name: str) -> None:
        """Switch a fault off."""
        self._on.pop(_find(name).name, None)

    def clear(self) -> None:
        """Switch all of them off."""
        self._on.clear()

    def take(self, name: str) -> bool:
        """Return true if a fault applies now, and count this occasion."""
        armed = self._on.get(_find(name).name)
        if armed is None:
            return False
        if armed.passing > 0:
            armed.passing -= 1
            return False
        if armed.left is not None:
            armed.left -= 1
            if armed.left <= 0:
                del self._on[name]
        return True

    def spoil(self, place: Place, subject: Subject) -> Subject:
        """Apply every fault of a place, in the order in which they were switched on.

        Args:
            place: the place in Zoom where the subject is processed.
            subject: a response or a delivery; it is changed in place.
        """
        for name, armed in list(self._on.items()):
            registered = _REGISTRY[name]
            if registered.place == place and registered.spoil is not None and self.take(name):
                registered.spoil(subject, **armed.parameters)
        return subject

    def listing(self) -> list[dict[str, Any]]:
        """Describe every fault: documentation, parameters, and whether it is on."""
        rows = []
        for one in sorted(_REGISTRY.values(), key=lambda one: (one.place, one.name)):
            armed = self._on.get(one.name)
            row: dict[str, Any] = {
                "name": one.name,
                "place": one.place,
                "documentation": one.documentation,
                "on": armed is not None,
                "parameters": dict(one.parameters if armed is None else armed.parameters),
            }
            if armed is not None and armed.left is not None:
                row["parameters"]["times"] = armed.left
            rows.append(row)
        return rows


def _find(name: str) -> Fault:
    if name not in _REGISTRY:
        raise NotFound(
            f"there is no fault named {name}", remedy="GET /_simulator/faults lists them."
        )
    return _REGISTRY[name]


def _is_count(value: Any, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _fitting(registered: Fault, key: str, value: Any) -> Any:
    """Return the value, if the parameter exists and its default is of the same type."""
    if key not in registered.parameters:
        raise UsageError(f"{registered.name} has no parameter {key}")
    wanted = type(registered.parameters[key])
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not wanted:
        raise UsageError(f"{key} of {registered.name} must be of type {wanted.__name__}")
    if key == "status" and not 200 <= value <= 599:
        raise UsageError("status must be from 200 to 599")
    return value
