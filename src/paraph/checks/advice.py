"""The advice for each kind of mistake, and the public incidents, read from `catalogue/`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

Framework = Literal["flask", "django", "fastapi", "express"]
FRAMEWORKS: dict[Framework, str] = {
    "flask": "Flask",
    "django": "Django",
    "fastapi": "FastAPI",
    "express": "Express",
}

_MARKED, _UNDERSCORE = re.compile(r"`([^`]+)`"), re.compile(r"_([a-z])")


class Advice(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The fix of one kind of mistake; several cases share it.

    Attributes:
        title: the fix in one line.
        text: a paragraph.
        given: the names that the code assumes.
        code: code by framework; `python` stands for every Python framework without code of its own.
    """

    id: str
    title: str
    text: str
    given: str = ""
    code: dict[str, str] = {}

    def code_for(self, framework: str) -> str:
        """Return the code for a framework, or "" if the fix is no code."""
        shared = self.code.get("python", "") if framework != "express" else ""
        return self.code.get(framework, shared).strip("\n")

    def given_for(self, framework: str) -> str:
        """Return the assumed names as the code of a framework spells them."""
        if framework != "express":
            return self.given
        code = self.code_for(framework)

        def spelt(found: re.Match[str]) -> str:
            name = _UNDERSCORE.sub(lambda one: one[1].upper(), found[1])
            return f"`{name}`" if name.partition("(")[0] in code else found[0]

        return _MARKED.sub(spelt, self.given)

    def codes(self, framework: str = "") -> dict[str, str]:
        """Return the code by the names of its frameworks.

        Args:
            framework: the app's framework; "" if it is not known, for all of them.
        """
        names = {framework: FRAMEWORKS[framework]} if framework in FRAMEWORKS else FRAMEWORKS
        found: dict[str, list[str]] = {}
        for one, name in names.items():
            if code := self.code_for(one):
                found.setdefault(code, []).append(name)
        return {", ".join(titles): code for code, titles in found.items()}


class Incident(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A public incident, and the cases that find the same mistake."""

    name: str
    url: str
    text: str
    cases: list[str]


@cache
def advice() -> dict[str, Advice]:
    """Return the advice by its id."""
    found: dict[str, Advice] = {}
    folder = files("paraph.checks") / "catalogue" / "advice"
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        content = msgspec.toml.decode(file.read_bytes(), type=dict[str, list[Advice]])
        found.update((one.id, one) for one in content["advice"])
    return found


@cache
def incidents() -> dict[str, list[Incident]]:
    """Return the public incidents by case id."""
    text = (files("paraph.checks") / "catalogue" / "incidents.toml").read_bytes()
    content = msgspec.toml.decode(text, type=dict[str, list[Incident]])
    found: dict[str, list[Incident]] = {}
    for one in content["incident"]:
        for case in one.cases:
            found.setdefault(case, []).append(one)
    return found
