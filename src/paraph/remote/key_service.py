"""A key service that wraps our keys: Vault or OpenBao, through its transit engine.

The service never exports the wrapping key. `encryption_keys` holds wrapped keys; unwrapped keys
exist in memory only. The id of a key is authenticated with it: a key does not unwrap under another
id.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from paraph.errors import ConfigurationError, TransportError
from paraph.oauth.messages import Request
from paraph.remote.transport import Transport
from paraph.settings.keys import KeyService

_CHECK = "Check the transit engine, its key and the token's policy against docs/how-to/keys.md."


class _Data(msgspec.Struct):
    ciphertext: str = ""
    plaintext: str = ""


class _Reply(msgspec.Struct):
    data: _Data


class TransitKeyWrapper:
    """Wraps and unwraps keys over the HTTP API of a transit engine."""

    def __init__(self, transport: Transport, service: KeyService) -> None:
        self._transport = transport
        self._service = service

    async def wrap(self, key_id: str, key: bytes) -> str:
        """Wrap one of our keys, bound to its id.

        Raises:
            ConfigurationError: the service refuses.
            TransportError: it cannot be reached, is sealed, or its response is malformed.
        """
        return (await self._ask("encrypt", key_id, plaintext=_text(key))).ciphertext

    async def unwrap(self, key_id: str, wrapped: str) -> bytes:
        """Unwrap a key that was wrapped under this id.

        Raises:
            ConfigurationError: the service refuses.
            TransportError: it cannot be reached, is sealed, or its response is malformed.
        """
        data = await self._ask("decrypt", key_id, ciphertext=wrapped)
        try:
            return base64.b64decode(data.plaintext, validate=True)
        except binascii.Error:
            raise TransportError("the key service's response is not base64") from None

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
            # Sealed, a standby, or overloaded: it recovers without a change of settings.
            raise TransportError(
                f"the key service cannot {act} at the moment ({response.status})",
                remedy="Unseal it, or wait; running services continue.",
            )
        if response.status != 200:
            raise ConfigurationError(
                [f"the key service refuses to {act} the key {key_id} ({response.status})"],
                remedy=_CHECK,
            )
        try:
            return msgspec.json.decode(response.body, type=_Reply).data
        except msgspec.DecodeError:
            raise TransportError("the key service's response is not JSON of its API") from None


@asynccontextmanager
async def open_key_service(service: KeyService) -> AsyncIterator[TransitKeyWrapper]:
    """Open the key service of the settings until the block ends.

    Raises:
        ConfigurationError: its CA file holds no certificate.
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
