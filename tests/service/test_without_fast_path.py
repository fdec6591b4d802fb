"""The fast path can be deleted: no endpoint knows it, and all responses stay the same."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import paraph
from paraph.service.fast_routes import public_fast_routes
from service import without_fast_path
from service.connection_kit import connection, feed
from service.webhook_fuzzing import endpoint, public_side
from service.webhook_requests import CASES

SOURCE = Path(str(paraph.__file__)).parent


async def written_fast() -> dict[str, str]:
    """The bytes of the responses to each case, with the fast path."""
    found = {}
    for name, pieces in CASES.items():
        webhook = endpoint()
        app = public_side(webhook)
        async with connection(app, public_fast_routes(app)) as (serving, transport):
            await feed(serving, transport, pieces)
        webhook.watch.close()
        found[name] = transport.written.hex()
    return found


def test_a_service_without_the_fast_path_responds_alike() -> None:
    """Every delivery of the list, in a process where the modules cannot be imported."""
    tests = Path(__file__).parents[1]
    run = subprocess.run(
        [sys.executable, without_fast_path.__file__],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE.parent), str(tests)])},
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    written = json.loads(run.stdout.splitlines()[-1])
    fast = asyncio.run(written_fast())
    assert fast == written
    assert 30 < sum(bool(response) for response in fast.values())


def test_only_its_composition_imports_the_fast_path() -> None:
    """Its folder and its composition can be deleted without touching anything else."""
    importing = {
        file.relative_to(SOURCE).as_posix()
        for file in SOURCE.rglob("*.py")
        if any(name in file.read_text() for name in without_fast_path.BLOCKED)
    }
    folder = {name for name in importing if name.startswith("http/fast_path/")}
    assert {"service/fast_routes.py", "service/server.py"} == importing - folder
