"""The walks of the design page name files and functions, and a real request calls them in order."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from service_kit import ACCOUNT, JANE, Kit, running

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "paraph"
PAGE = ROOT / "docs" / "explanation" / "design.md"
WALKS = ("authorization code", "webhook")

Step = tuple[str, str]


def steps_of(walk: str) -> list[Step]:
    """Read the files and functions of a walk from the page."""
    text = PAGE.read_text(encoding="utf-8")
    part = text.partition(f"<!-- walk: {walk} -->")[2].partition("<!-- end of walk -->")[0]
    return re.findall(r"^\| `([a-z_/]+\.py)` \| `([A-Za-z_.]+)` \|", part, re.MULTILINE)


def functions_in(file: Path) -> set[str]:
    """List the functions and methods of a module."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = set()
    for one in tree.body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(one.name)
        elif isinstance(one, ast.ClassDef):
            kinds = ast.FunctionDef | ast.AsyncFunctionDef
            found |= {f"{one.name}.{it.name}" for it in one.body if isinstance(it, kinds)}
    return found


@contextmanager
def traced() -> Iterator[list[Step]]:
    """List the package's functions in the order in which they are called."""
    seen: list[Step] = []
    prefix = f"{PACKAGE}/"

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(prefix):
            seen.append((code.co_filename.removeprefix(prefix), code.co_qualname))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(before)


def not_in_order(steps: Sequence[Step], seen: Sequence[Step]) -> Step | None:
    """Return the first step that was not called after the ones before it."""
    calls = iter(seen)
    return next((step for step in steps if step not in calls), None)


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """A running service."""
    async with running(tmp_path) as kit:
        yield kit


@pytest.mark.parametrize("walk", WALKS)
def test_each_step_of_a_walk_exists(walk: str) -> None:
    """A reader finds each named function in the named file."""
    steps = steps_of(walk)

    assert len(steps) >= 8
    assert [] == [(file, name) for file, name in steps if name not in functions_in(PACKAGE / file)]


async def test_an_authorization_code_takes_the_walk(kit: Kit) -> None:
    """A browser that comes back from Zoom is served by the functions of the page, in order."""
    async with kit.browser() as browser:
        back = await kit.agree(await browser.get("/install"))
        with traced() as seen:
            response = await browser.get(back)

    assert 303 == response.status_code
    assert None is not_in_order(steps_of("authorization code"), seen)


async def test_a_webhook_takes_the_walk(kit: Kit) -> None:
    """A delivery is served by the functions of the page, in order."""
    await kit.post_webhook("meeting.started", {"account_id": ACCOUNT})
    with traced() as seen:
        response = await kit.post_webhook(
            "meeting.ended", {"account_id": ACCOUNT, "object": {"host_id": JANE}}
        )

    assert 200 == response.status_code
    assert None is not_in_order(steps_of("webhook"), seen)


def test_a_wrong_order_is_found() -> None:
    """A step that was called too early, or never, is named."""
    seen = [("a.py", "one"), ("a.py", "two"), ("a.py", "three")]

    assert None is not_in_order([("a.py", "one"), ("a.py", "three")], seen)
    assert ("a.py", "one") == not_in_order([("a.py", "two"), ("a.py", "one")], seen)
    assert ("a.py", "four") == not_in_order([("a.py", "four")], seen)
