"""A lonely vend wakes nothing: what it costs is tested by number."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from api.installed import SUBJECT, installed
from loop_count import counted, fewest
from paraph.lifecycle.api_key import create_key
from paraph.service.fast_routes import private_fast_routes
from service.connection_kit import ITERATIONS, connection

pytestmark = pytest.mark.anyio

ROUNDS = 5


async def test_an_access_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite: no task, no timer, no thread and no line of the log."""
    rounds = list[Counter[str]]()
    async with installed(tmp_path) as one:
        service = one.kit.service
        key = await create_key(service.context, label="test", scopes=("vend",), subject_prefix="")
        body = b'{"subject":"%b"}' % SUBJECT.encode()
        vend = b"\r\n".join(
            [
                b"POST /v1/installations/%b/access-token HTTP/1.1" % one.id.encode(),
                b"host: private",
                b"authorization: Bearer %b" % key.reveal().encode(),
                b"content-type: application/json",
                b"content-length: %d" % len(body),
                b"",
                body,
            ]
        )
        find_route = private_fast_routes(service.api)
        async with connection(service.private, find_route) as (serving, transport):
            for _ in range(1 + ROUNDS):
                before = transport.written
                with counted(monkeypatch) as counts:
                    serving.data_received(vend)
                    for _ in range(ITERATIONS):
                        await asyncio.sleep(0)
                assert b" 200 " in transport.written[len(before) :][:20]
                rounds.append(counts)

    assert {} == fewest(rounds[1:])
