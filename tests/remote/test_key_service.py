"""Keys that a key service wraps, with a real OpenBao over TLS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bao_server import BaoServer
from paraph.errors import ConfigurationError, TransportError
from paraph.operations.open_key_ring import new_wrapped_key, open_ring
from paraph.outgoing.route import OutgoingRoute
from paraph.remote.key_service import open_key_service
from paraph.sealing.encryption_key import new_encryption_key
from paraph.secret import Secret
from paraph.service.context import open_context
from paraph.settings.keys import KeyService, is_wrapped
from paraph.settings.model import Settings
from service_kit import give_back, settings_for, simulated_zoom
from storage import sample

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaoServer]:
    """A running key service."""
    server = BaoServer(tmp_path_factory.mktemp("bao"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def service(bao: BaoServer) -> KeyService:
    """Settings whose token may wrap and unwrap, and nothing else."""
    token = Secret(bao.token("encrypt", "decrypt"))
    return KeyService(bao.url, "transit", "paraph", token, str(bao.ca_file))


@pytest.fixture
def settings(tmp_path: Path, service: KeyService) -> Iterator[Settings]:
    """Settings of a service with a key service."""
    zoom = simulated_zoom()
    yield replace(settings_for(zoom, tmp_path), key_service=service)
    give_back(zoom)


async def test_a_wrapped_key_seals_and_opens(settings: Settings, service: KeyService) -> None:
    """Two processes unwrap the same key; what one has sealed the other opens."""
    key = await new_wrapped_key(service, os.urandom)
    wrapped = replace(settings, encryption_keys=(Secret(key),))
    async with open_context(wrapped) as (context, _), context.store.transaction() as tx:
        await tx.grants.add(sample.grant())

    async with open_context(wrapped) as (context, _), context.store.reading() as tx:
        assert sample.grant() == await tx.grants.get("grant-1")
    assert is_wrapped(key)


async def test_keys_in_clear_and_wrapped_ones_stand_in_one_ring(
    settings: Settings, service: KeyService
) -> None:
    """So that going over to a key service is a rotation like any other."""
    clear, wrapped = new_encryption_key(), await new_wrapped_key(service, os.urandom)
    both = replace(settings, encryption_keys=(Secret(wrapped), Secret(clear)))

    ring = await open_ring(both)

    assert (wrapped.partition(":")[0], clear.partition(":")[0]) == ring.key_ids


async def test_a_wrapped_key_under_another_id_does_not_unwrap(
    settings: Settings, service: KeyService
) -> None:
    """The id is authenticated: nobody passes an old key off as a new one."""
    key = await new_wrapped_key(service, os.urandom)
    renamed = "other:" + key.partition(":")[2]

    with pytest.raises(ConfigurationError, match="refuses to decrypt the key other"):
        await open_ring(replace(settings, encryption_keys=(Secret(renamed),)))


async def test_a_damaged_wrapped_key_is_refused(settings: Settings, service: KeyService) -> None:
    """One changed character, and the service says no."""
    key = await new_wrapped_key(service, os.urandom)
    spoiled = key[:-8] + ("A" if key[-8] != "A" else "B") + key[-7:]

    with pytest.raises(ConfigurationError, match="refuses to decrypt"):
        await open_ring(replace(settings, encryption_keys=(Secret(spoiled),)))


@pytest.mark.parametrize("acts", [("encrypt",), ()])
async def test_a_token_without_the_right_unwraps_nothing(
    bao: BaoServer, settings: Settings, service: KeyService, acts: tuple[str, ...]
) -> None:
    """What may wrap may not unwrap, and what is wrong with the token is not echoed."""
    token = bao.token(*acts) if acts else "no-token-of-its"
    key = await new_wrapped_key(service, os.urandom)
    poor = replace(
        settings,
        encryption_keys=(Secret(key),),
        key_service=replace(service, token=Secret(token)),
    )

    with pytest.raises(ConfigurationError, match=r"refuses to decrypt .* \(403\)") as caught:
        await open_ring(poor)
    assert token not in str(caught.value)


async def test_a_sealed_service_is_try_later(
    tmp_path: Path, settings: Settings, service: KeyService
) -> None:
    """A service that is sealed or not there is no mistake of the settings."""
    server = BaoServer(tmp_path / "bao")
    server.start()
    own = replace(
        service,
        url=server.url,
        token=Secret(server.token("encrypt", "decrypt")),
        ca_file=str(server.ca_file),
    )
    key = await new_wrapped_key(own, os.urandom)
    ours = replace(settings, encryption_keys=(Secret(key),), key_service=own)
    server.ask("POST", "/sys/seal")

    with pytest.raises(TransportError, match="cannot decrypt at the moment"):
        await open_ring(ours)
    server.stop()
    with pytest.raises(TransportError):
        await open_ring(ours)


async def test_a_foreign_certificate_is_refused(service: KeyService) -> None:
    """Without its CA the connection is not made, and no token leaves."""
    async with open_key_service(replace(service, ca_file="")) as wrapper:
        with pytest.raises(TransportError):
            await wrapper.wrap("id", b"k" * 32)


async def test_without_a_key_service_nothing_is_wrapped() -> None:
    """The command says which setting is missing."""
    with pytest.raises(ConfigurationError, match="key_service_url is missing"):
        await new_wrapped_key(None, os.urandom)


async def test_the_common_ca_file_is_trusted_where_the_service_has_none(
    service: KeyService,
) -> None:
    """Without `key_service_ca_file` the authorities of `ca_file` count; without both, no others."""
    common = replace(service, ca_file="", route=OutgoingRoute(ca_file=service.ca_file))
    assert is_wrapped(await new_wrapped_key(common, os.urandom))
    with pytest.raises(TransportError, match="not signed by a trusted authority") as caught:
        await new_wrapped_key(replace(service, ca_file=""), os.urandom)
    assert "key_service_ca_file" in caught.value.remedy
