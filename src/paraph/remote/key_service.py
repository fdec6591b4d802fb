"""A key service that wraps our keys: Vault or OpenBao, by its transit engine.

The service holds the key that wraps and never gives it away. What it wrapped stands in
`encryption_keys`; unwrapped it lives in memory alone. The id of a key is authenticated with it:
under another id it does not unwrap.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec

from paraph.errors import ConfigurationError, TransportError
from paraph.key_settings import KeyService
from paraph.oauth.messages import Request
from paraph.remote.transport import Transport

_CHECK = "See that the transit engine, its key and the token's policy are as docs/keys.md says."


class KeyWrapper(Protocol):
    """What is asked of a key service."""

    async def wrap(self, key_id: str, key: bytes) -> str:
        """Wrap a key of ours, bound to its id."""

    async def unwrap(self, key_id: str, wrapped: str) -> bytes:
        """The key again, if it was wrapped under this id."""


class _Data(msgspec.Struct):
    ciphertext: str = ""
    plaintext: str = ""


class _Answer(msgspec.Struct):
    data: _Data


class TransitKeyWrapper:
    """`KeyWrapper` over the HTTP API of a transit engine."""

    def __init__(self, transport: Transport, service: KeyService) -> None:
        self._transport = transport
        self._service = service

    async def wrap(self, key_id: str, key: bytes) -> str:
        """Wrap a key of ours, bound to its id.

        Raises:
            ConfigurationError: the service refuses.
            TransportError: it cannot be reached, is sealed, or answers nonsense.
        """
        return (await self._ask("encrypt", key_id, plaintext=_text(key))).ciphertext

    async def unwrap(self, key_id: str, wrapped: str) -> bytes:
        """The key again. Raises as `wrap`."""
        data = await self._ask("decrypt", key_id, ciphertext=wrapped)
        try:
            return base64.b64decode(data.plaintext, validate=True)
        except binascii.Error:
            raise TransportError("the key service answered with no base64") from None

    async def _ask(self, act: str, key_id: str, **values: str) -> _Data:
        service = self._service
        bound = _text(f"paraph encryption key {key_id}".encode())
        response = await self._transport.send(
            Request(
                "POST",
                f"{service.url}/v1/{service.mount}/{act}/{service.key}",
                (
                    ("x-vault-token", service.token.reveal()),
                    ("x-vault-request", "true"),
                    ("content-type", "application/json"),
                ),
                msgspec.json.encode({**values, "associated_data": bound}),
            )
        )
        if response.status >= 429:
            # Sealed, a standby, or overrun: it will be well again without a change of settings.
            raise TransportError(
                f"the key service cannot {act} at the moment ({response.status})",
                remedy="Unseal it, or wait; what runs already goes on.",
            )
        if response.status != 200:
            raise ConfigurationError(
                [f"the key service refuses to {act} the key {key_id} ({response.status})"],
                remedy=_CHECK,
            )
        try:
            return msgspec.json.decode(response.body, type=_Answer).data
        except msgspec.DecodeError:
            raise TransportError("the key service's answer is no JSON of its API") from None


@asynccontextmanager
async def open_key_service(service: KeyService) -> AsyncIterator[TransitKeyWrapper]:
    """The key service of some settings, for the length of a block.

    Raises:
        ConfigurationError: its CA file is none.
    """
    context = None
    if service.ca_file:
        try:
            context = ssl.create_default_context(cafile=service.ca_file)
        except (OSError, ssl.SSLError):
            raise ConfigurationError(["key_service_ca_file holds no certificate"]) from None
    transport = Transport(
        {service.url},
        route=service.route,
        verify=context,
        trust="key_service_ca_file" if context else "ca_file or key_service_ca_file",
    )
    try:
        yield TransitKeyWrapper(transport, service)
    finally:
        await transport.close()


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
