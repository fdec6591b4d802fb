"""Runs the examples of docstrings, each in a namespace of the names that it may use."""

from __future__ import annotations

import ast
import asyncio
import doctest
import inspect
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from public_names import PublicName, modules, public_names

import paraph


def all_names() -> list[PublicName]:
    """Every public name whose framework is installed, the former ones excepted."""
    found = []
    for module in modules():
        try:
            import_module(module)
        except ImportError:
            continue
        found += [one for one in public_names(module) if not one.is_former]
    return found


def is_pure(one: PublicName) -> bool:
    """True if the example is an interactive session, which needs no further name."""
    return one.section("Example").startswith(">>>")


def names_of(one: PublicName) -> dict[str, Any]:
    """The public names of the package and those of the module that defines an object."""
    exported = {name: getattr(paraph, name) for name in paraph.__all__}
    return {**exported, **vars(import_module(one.module))}


def run_session(one: PublicName) -> list[str]:
    """Run an interactive session; return its failures."""
    parser = doctest.DocTestParser()
    test = parser.get_doctest(one.section("Example"), names_of(one), one.name, one.module, 0)
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    return said


async def run_code(one: PublicName, names: Mapping[str, Any]) -> None:
    """Run an example; `await` may stand at its top. One without `await` runs in a thread.

    Args:
        one: the public name.
        names: the names that its example may use, in addition to those of `names_of`.
    """
    code = compile(one.section("Example"), f"<{one.name}>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    namespace = {**names_of(one), **names}
    if code.co_flags & inspect.CO_COROUTINE:
        await eval(code, namespace)
    else:
        await asyncio.to_thread(exec, code, namespace)


async def failures_of(
    chosen: Iterable[PublicName], names: Mapping[str, Any], *, used: set[str] | None = None
) -> list[str]:
    """Run several examples one after the other; return one line for each that fails."""
    failed = []
    for one in chosen:
        if used is not None:
            used.add(one.name)
        try:
            await run_code(one, names)
        except Exception as error:  # noqa: BLE001 - The test lists all of them.
            failed.append(f"{one.name}: {type(error).__name__}: {error}")
    return failed
