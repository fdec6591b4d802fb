"""Answers deliveries in a process that cannot import the fast path; prints what is written.

Run by `test_without_fast_path.py`. The modules are blocked as if their files were deleted.
"""

from __future__ import annotations

import asyncio
import json
import sys

BLOCKED = ("paraph.http.fast_path", "paraph.service.fast_routes")


async def written() -> dict[str, str]:
    """The bytes of the responses to each case, in hexadecimal digits."""
    from service.connection_kit import connection, feed
    from service.webhook_fuzzing import endpoint, public_side
    from service.webhook_requests import CASES

    found = {}
    for name, pieces in CASES.items():
        webhook = endpoint()
        async with connection(public_side(webhook), None) as (serving, transport):
            await feed(serving, transport, pieces)
        webhook.watch.close()
        found[name] = transport.written.hex()
    return found


def main() -> None:
    """Block the modules, compose what the service needs, and answer."""
    for name in BLOCKED:
        sys.modules[name] = None  # type: ignore[assignment]
    from paraph.http.listener.bounded_protocol import BoundedHeadProtocol
    from paraph.service import server

    nothing: object = None
    plain = server._protocols(nothing, is_fast=False)  # type: ignore[arg-type]
    assert (BoundedHeadProtocol, BoundedHeadProtocol) == plain
    print(json.dumps(asyncio.run(written())))  # noqa: T201 - The test reads it.


if __name__ == "__main__":
    main()
