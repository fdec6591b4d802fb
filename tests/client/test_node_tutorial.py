"""The Node product of the tutorial links a user, as it stands on the page."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from calls.four_objects import FourObjects, four_objects
from programs import need_program
from scripted_zoom import JANE_HERSELF, Scripted
from service_kit import PUBLIC_URL

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "node.md"


@contextmanager
def product(four: FourObjects, folder: Path) -> Iterator[str]:
    """The program of the page, in front of a service on another port; gives its URL."""
    node = need_program("node")
    found = re.search(r"```js\n(// product\.mjs\n.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    file = folder / "product.mjs"
    file.write_text(found[1], encoding="utf-8")
    connection: Any = four.objects["Client"]._connection
    environment = {
        **os.environ,
        "PARAPH_URL": str(connection._url).rstrip("/"),
        "PRODUCT_KEY": connection._api_key,
        "PORT": "0",
    }
    with subprocess.Popen(
        [node, str(file)], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().split()[1]
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


async def consent(four: FourObjects, person: httpx.AsyncClient) -> str:
    """Start as a signed-in person and agree at Zoom; return the path of the handoff."""
    started = await person.get("/start")
    async with four.app.browser() as browser:
        back = await four.app.kit.install(
            browser, started.headers["location"].removeprefix(PUBLIC_URL)
        )
    handoff = parse_qs(urlsplit(back.headers["location"]).query)["handoff"][0]
    return f"/link?handoff={handoff}"


def answer(page: str) -> dict[str, str]:
    """Return the form of the question as a browser sends it."""
    form = re.search(r"value='([^']+)' type=hidden", page)
    assert form is not None
    return {"value": form[1]}


async def test_the_product_of_the_tutorial(tmp_path: Path) -> None:
    """Sign in, connect, confirm both, call Zoom; another user can neither finish nor take over."""
    async with four_objects(tmp_path) as four:
        four.app.rest.ordinary = Scripted(content=JANE_HERSELF | {"display_name": "Jane <Dev>"})
        with product(four, tmp_path) as url:
            async with (
                httpx.AsyncClient(base_url=url, trust_env=False) as jane,
                httpx.AsyncClient(base_url=url, trust_env=False) as mallory,
            ):
                await asyncio.gather(
                    jane.post("/sign-in", data={"value": "jane"}),
                    mallory.post("/sign-in", data={"value": "mallory"}),
                )
                assert "Connect Zoom" in (await jane.get("/")).text
                link = await consent(four, jane)
                assert 400 == (await mallory.get(link)).status_code
                page = (await jane.get(link)).text
                assert "jane@example.com" in page
                assert "user-jane" in page
                sent = answer(page)
                assert 400 == (await mallory.post("/confirm", data=sent)).status_code
                assert 303 == (await jane.post("/confirm", data=sent)).status_code
                assert "At Zoom you are Jane &#60;Dev&#62;." == (await jane.get("/")).text
                page = (await mallory.get(await consent(four, mallory))).text
                taken = await mallory.post("/confirm", data=answer(page))
                assert 409 == taken.status_code
