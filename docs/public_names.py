"""The public names of the package, with their docstrings and the examples in these."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import paraph

SOURCE = Path(__file__).parents[1] / "src" / "paraph"
# Packages whose `__all__` lists what a program may use.
DOORS = (
    "paraph",
    "paraph.client",
    "paraph.webhooks",
    "paraph.installs",
    "paraph.simulator.browser",
)
_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Example):$", re.MULTILINE)


@dataclass(frozen=True)
class PublicName:
    """A public class, function or method.

    Attributes:
        name: the name as a program reaches it, such as "paraph.Client.audit".
        value: the object itself.
    """

    name: str
    value: Any

    @cached_property
    def docstring(self) -> str:
        """Its cleaned docstring, inherited ones included; "" without one."""
        return inspect.getdoc(self.value) or ""

    @property
    def module(self) -> str:
        """The module that defines it."""
        return str(getattr(self.value, "__module__", ""))

    @property
    def is_former(self) -> bool:
        """True for a name of version 0.1, which is deprecated."""
        return "deprecated." in self.docstring.partition("\n")[0]

    def section(self, title: str) -> str:
        """The text of a section of the docstring, without its indentation; "" if it is missing."""
        pieces = _SECTION.split(self.docstring)
        found = dict(zip(pieces[1::2], pieces[2::2], strict=True)).get(title, "")
        lines = found.strip("\n").splitlines()
        kept = []
        for line in lines:
            if line and not line.startswith("    "):
                break
            kept.append(line[4:])
        return "\n".join(kept).strip("\n")

    @property
    def arguments(self) -> list[str]:
        """The names of its arguments, without `self`."""
        if not callable(self.value) or isinstance(self.value, type):
            return []
        parameters = inspect.signature(self.value).parameters
        return [name for name in parameters if name not in {"self", "cls"} and name[0] != "_"]


def modules() -> list[str]:
    """The modules that a program may import from, Django's excepted.

    That one needs a Django project: `tests/integrations/django` runs its examples.
    """
    folder = SOURCE / "integrations"
    single = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    found = [*DOORS, *(f"paraph.integrations.{name}" for name in sorted(single))]
    return [name for name in found if _exists(name)]


def _exists(name: str) -> bool:
    path = SOURCE.parent / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def public_names(module: str) -> Iterator[PublicName]:
    """Yield the public names of a module, with the methods of its classes."""
    package = import_module(module)
    for name in _exported(package):
        value = getattr(package, name)
        if not getattr(value, "__module__", "").startswith("paraph"):
            continue
        if module != "paraph" and name in paraph.__all__ and getattr(paraph, name) is value:
            continue
        yield PublicName(f"{module}.{name}", value)
        if isinstance(value, type):
            yield from _methods(f"{module}.{name}", value)


def _exported(module: ModuleType) -> list[str]:
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]


def _methods(owner: str, kind: type) -> Iterator[PublicName]:
    for name in dir(kind):
        value = inspect.getattr_static(kind, name)
        if isinstance(value, classmethod | staticmethod):
            value = value.__func__
        if name.startswith("_") or not inspect.isfunction(value):
            continue
        if value.__module__.startswith("paraph"):
            yield PublicName(f"{owner}.{name}", value)
