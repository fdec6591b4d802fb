"""An installed service on a socket, in a thread of its own, for tests that are no coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.installed import installed
from api.private_socket import private_url
from postgres_server import PostgresServer

DATABASES = ["sqlite", "postgresql"]


@dataclass
class Live:
    """The URL of the service, an API key, and an installation."""

    url: str = ""
    key: str = ""
    installation_id: str = ""
    document: Any = None


@contextmanager
def live_service(request: pytest.FixtureRequest, folder: Path) -> Iterator[Live]:
    """The service, on the kind of store that the fixture's parameter names."""
    live, up, over = Live(), threading.Event(), threading.Event()
    changes = {}
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        changes["database_url"] = server.create_database()

    async def run() -> None:
        async with installed(folder, **changes) as one, private_url(one.kit.service) as url:
            live.url, live.installation_id = url, one.id
            live.key = one.api.headers["authorization"]
            live.document = (await one.api.get("/v1/openapi.json")).json()
            up.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert up.wait(30)
        yield live
    finally:
        over.set()
        thread.join(30)
