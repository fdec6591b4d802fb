"""Reads a scenario file. A problem names the line, the step and the key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from paraph.errors import ConfigurationError, ParaphError
from paraph.settings.source import parse_toml
from paraph.simulator.apps import deauthorization
from paraph.simulator.faults import Faults
from paraph.simulator.scenarios.steps import (
    STEPS,
    Deauthorize,
    FaultOn,
    InBrowser,
    Request,
    Scenario,
    Send,
    Start,
    Step,
    Wait,
    name_of,
)
from paraph.simulator.state.world import World, default_world, load_world

MAX_BYTES = 1 << 20
REMEDY = "docs/reference/simulator.md, section Scenarios, lists every step with its keys."
_STEP = re.compile(r"\s*\[\[\s*steps\s*\]\]")
_TABLE = re.compile(r"\s*\[+\s*([\w.\-]+)\s*\]+")
_PLACE = re.compile(r"\$(?:\.steps\[(\d+)\])?(.*)")
_QUOTED = re.compile(r"`([\w\-]+)`")
_KEY = re.compile(r"[A-Za-z_][\w\-]*")


@dataclass(frozen=True, slots=True)
class LoadedScenario:
    """A scenario, the world in which it runs, and the lines of its steps."""

    scenario: Scenario
    world: World
    lines: Lines


def load_scenario(path: Path, world: World | None = None) -> LoadedScenario:
    """Read a scenario, and the world in which it runs.

    Args:
        path: the scenario file.
        world: the world to use; None for the one that the file names.

    Raises:
        ConfigurationError: the file or its world cannot be read or is wrong. Each problem begins
            with the file and the line.
    """
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise _wrong([f"{path} cannot be read: {error.strerror}"]) from None
    if len(content) > MAX_BYTES:
        raise _wrong([f"{path} is larger than one mebibyte"])
    scenario = parse_scenario(content, str(path))
    if world is None:
        named = path.parent / scenario.world
        world = load_world(named) if scenario.world else default_world()
    problems, lines = find_mistakes(scenario, world), Lines(content)
    if problems:
        raise _wrong([f"{path}:{lines.of_step(at)}: {text}" for at, text in problems])
    return LoadedScenario(scenario, world, lines)


def parse_scenario(content: bytes, name: str) -> Scenario:
    """Read a scenario from the bytes of its file.

    Args:
        content: TOML.
        name: the name of the file, for problems.

    Raises:
        ConfigurationError: it is not TOML, a key is unknown, missing or of another type, or
            `start_url` is no URL.
    """
    try:
        values = parse_toml(content)
    except ValueError as error:
        raise _wrong([f"{name} is not TOML: {error}"]) from None
    try:
        scenario = msgspec.convert(values, Scenario)
    except msgspec.ValidationError as error:
        raise _wrong([_located(name, content, values, str(error))]) from None
    if not scenario.steps:
        raise _wrong([f"{name} has no steps: add a table [[steps]]"])
    try:
        urlsplit(scenario.start_url)
    except ValueError as error:
        line = Lines(content).of_key("start_url")
        raise _wrong([f"{name}:{line}: start_url: {error}"]) from None
    return scenario


def find_mistakes(scenario: Scenario, world: World) -> list[tuple[int, str]]:
    """Return the mistakes that the types do not show: the index of the step, and a sentence.

    Args:
        scenario: the scenario.
        world: its users, apps and faults are those that the steps may name.
    """
    found = []
    for at, step in enumerate(scenario.steps):
        described = f"step {at + 1} ({name_of(step)})"
        found += [(at, f"{described}: {text}") for text in _mistakes(step, scenario, world)]
    return found


def _mistakes(step: Step, scenario: Scenario, world: World) -> Iterator[str]:
    if getattr(step, "user", ""):
        yield from _failing(lambda: world.chosen_user(step.user))  # type: ignore[attr-defined]
    for user in step.expect.grants or ():
        yield from _failing(lambda user=user: world.chosen_user(user))
    if getattr(step, "client_id", ""):
        yield from _failing(lambda: world.known_app(step.client_id))  # type: ignore[attr-defined]
    if isinstance(step, Start) and not (step.url or scenario.start_url):
        yield "url is missing: write it here, or start_url at the top of the file"
    if isinstance(step, Deauthorize) and step.variant:
        unknown = set(step.variant.split("+")) - set(deauthorization.VARIANTS.documentation())
        if unknown:
            yield f"there is no variant {', '.join(sorted(unknown))}"
    if isinstance(step, Wait):
        wanted = [step.seconds is not None, step.url, step.request, step.delivery]
        if sum(map(bool, wanted)) != 1:
            yield "it needs exactly one of seconds, url, request and delivery"
    if isinstance(step, Request) and step.body and step.form is not None:
        yield "form and body exclude each other"
    yield from _wrong_faults(step)
    asks_response = step.expect.status is not None or step.expect.text
    if asks_response and not step.responds:
        yield "expect.status and expect.text need a step to which the app responds"
    shows_page = isinstance(step, InBrowser | Request)
    asks_page = step.expect.text or step.expect.absent or step.expect.url
    if asks_page and step.responds and not shows_page:
        yield "expect.text, expect.absent and expect.url need a step in a browser, or a request"


def _wrong_faults(step: Step) -> Iterator[str]:
    faults: Mapping[str, Mapping[str, Any]] = {}
    if isinstance(step, Send):
        faults = step.faults
    elif isinstance(step, FaultOn):
        faults = {step.name: step.settings}
    elif name_of(step) == "fault_off":
        faults = {step.name: {}}  # type: ignore[attr-defined]
    for name, settings in faults.items():
        yield from _failing(lambda n=name, s=settings: Faults().switch_on(n, s))


def _failing(work: Any) -> Iterator[str]:
    try:
        work()
    except ParaphError as error:
        yield error.detail


class Lines:
    """The lines at which steps and their keys stand.

    Args:
        content: the bytes of a TOML file.
    """

    def __init__(self, content: bytes) -> None:
        self._lines = content.decode("utf-8-sig", "replace").splitlines()
        self._starts = [at for at, line in self._outside_texts() if _STEP.match(line)]

    def of_step(self, at: int, key: str = "") -> int:
        """Return the line of a step, or of a key in it; 1 if the file writes steps otherwise.

        Args:
            at: the index of the step, from 0.
            key: the key.
        """
        if at >= len(self._starts):
            return 1
        begin = self._starts[at]
        end = self._starts[at + 1] if at + 1 < len(self._starts) else len(self._lines)
        return (self._search(key, begin, end) or begin) + 1

    def of_key(self, key: str) -> int:
        """Return the line of a key before the first step; 1 if it is not there."""
        end = self._starts[0] if self._starts else len(self._lines)
        return (self._search(key, 0, end) or 0) + 1

    def _search(self, key: str, begin: int, end: int) -> int | None:
        if not key:
            return None
        named = re.compile(rf"(?:^|[\s{{,.\[]){re.escape(key)}\s*(?:=|\.|\])")
        return next((at for at in range(begin, end) if named.search(self._lines[at])), None)

    def _outside_texts(self) -> Iterator[tuple[int, str]]:
        """Yield the lines that do not begin inside a text of several lines."""
        delimiter = ""
        for at, line in enumerate(self._lines):
            if not delimiter:
                yield at, line
            for found in re.findall(r'"""|\'\'\'', line):
                delimiter = "" if found == delimiter else delimiter or found


def _located(name: str, content: bytes, values: Mapping[str, Any], problem: str) -> str:
    """Put file, line, step and key in front of a problem; msgspec writes the place last."""
    text, _, place = problem.partition(" - at `")
    matched = _PLACE.match(place.rstrip("`"))
    path = "" if matched is None else matched[2]
    keys = _KEY.findall(path)
    quoted = _QUOTED.search(text) if "unknown field" in text else None
    key = quoted[1] if quoted else (keys[-1] if keys else "")
    lines = Lines(content)
    if matched is None or matched[1] is None:
        return f"{name}:{lines.of_key(key)}: {path.lstrip('.')}{': ' if path else ''}{text}"
    at = int(matched[1])
    steps = values.get("steps")
    kind = steps[at].get("do") if isinstance(steps, list) and isinstance(steps[at], dict) else None
    described = f"step {at + 1}" + (f" ({kind})" if isinstance(kind, str) else "")
    shown = ".".join(keys)
    if shown == "do":
        text = f"{text}: choose one of {', '.join(sorted(STEPS))}"
    return f"{name}:{lines.of_step(at, key)}: {described}: {f'{shown}: ' if shown else ''}{text}"


def _wrong(problems: list[str]) -> ConfigurationError:
    return ConfigurationError(problems, remedy=REMEDY)
