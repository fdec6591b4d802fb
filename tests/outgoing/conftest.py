"""A private authority, and a real proxy for the tests of one file."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from databases import new_sqlite
from events.inbox_kit import open_context
from paraph.lifecycle.context import Context
from squid_proxy import Squid, squid

# Names that the proxy knows and this machine does not.
ZOOM, OTHER = "zoom.example", "other.example"


@dataclass(frozen=True, slots=True)
class Authority:
    """A private authority in a file."""

    file: str
    tls: Callable[..., ssl.SSLContext]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A private authority; `tls(name)` is a server's side with a certificate for a name."""
    one = trustme.CA()
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    one.cert_pem.write_to_path(str(file))

    def tls(name: str, *, days: int = 1) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        now = datetime.now(UTC)
        one.issue_cert(
            name,
            not_before=now - timedelta(days=30),
            not_after=now + timedelta(days=days),
        ).configure_cert(context)
        return context

    return Authority(str(file), tls)


@pytest.fixture(scope="module")
def proxy() -> Iterator[Squid]:
    """A proxy that asks for credentials."""
    with squid([ZOOM, OTHER]) as one:
        yield one


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[Context]:
    """A context; a forwarder takes the time from it."""
    async with open_context(new_sqlite(tmp_path / "paraph.db")) as opened:
        yield opened
