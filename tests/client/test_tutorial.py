"""The product of the tutorial links a user, as it stands on the page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from calls.four_objects import FourObjects, four_objects
from scripted_zoom import JANE_HERSELF, Scripted
from service_kit import PUBLIC_URL

pytestmark = pytest.mark.anyio
PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "client.md"


@contextmanager
def product(four: FourObjects, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The app of the page, in front of a service on another port; its client is closed after."""
    client = four.objects["Client"]
    monkeypatch.setenv("PRODUCT_KEY", client._connection._api_key)
    found = re.search(r"```python\n(# product\.py\n.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    code = found[1].replace("http://127.0.0.1:8001", str(client._connection._url))
    names: dict[str, Any] = {"__name__": "product"}
    exec(code, names)
    with names["zoom"]:
        yield names["app"]


async def consent(four: FourObjects, person: Any) -> str:
    """Start as a signed-in person and agree at Zoom; return the path of the handoff."""
    started = await asyncio.to_thread(person.get, "/start")
    async with four.app.browser() as browser:
        back = await four.app.kit.install(browser, started.location.removeprefix(PUBLIC_URL))
    handoff = parse_qs(urlsplit(back.headers["location"]).query)["handoff"][0]
    return f"/link?handoff={handoff}"


def answer(page: str) -> dict[str, str]:
    """Return the form of the question as a browser sends it."""
    form = re.search(r"value='([^']+)' type=hidden", page)
    assert form is not None
    return {"value": form[1]}


async def test_the_product_of_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign in, connect, confirm both, call Zoom; another user can neither finish nor take over."""
    pytest.importorskip("flask")
    async with four_objects(tmp_path) as four:
        four.app.rest.ordinary = Scripted(content=JANE_HERSELF | {"display_name": "Jane Dev"})
        with product(four, monkeypatch) as app:
            jane, mallory = app.test_client(), app.test_client()
            for browser, name in ((jane, "jane"), (mallory, "mallory")):
                browser.post("/sign-in", data={"value": name})
            assert "Connect Zoom" in (await asyncio.to_thread(jane.get, "/")).text
            link = await consent(four, jane)
            assert 400 == (await asyncio.to_thread(mallory.get, link)).status_code
            page = (await asyncio.to_thread(jane.get, link)).text
            assert "jane@example.com" in page
            sent = answer(page)
            assert 400 == (await asyncio.to_thread(mallory.post, "/confirm", data=sent)).status_code
            done = await asyncio.to_thread(jane.post, "/confirm", data=sent)
            assert 303 == done.status_code
            assert "At Zoom you are Jane Dev." == (await asyncio.to_thread(jane.get, "/")).text
            page = (await asyncio.to_thread(mallory.get, await consent(four, mallory))).text
            taken = await asyncio.to_thread(mallory.post, "/confirm", data=answer(page))
            assert 409 == taken.status_code
