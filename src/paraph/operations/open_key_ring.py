"""The key ring of the settings, unwrapped where a key service has wrapped its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from paraph.encoding import encode_base64url
from paraph.errors import ConfigurationError
from paraph.sealing.encryption_key import KEY_BYTES
from paraph.sealing.key_ring import KeyRing
from paraph.settings.keys import KeyService, is_wrapped

if TYPE_CHECKING:
    from paraph.settings.model import Settings


async def open_ring(settings: Settings) -> KeyRing:
    """Return all keys, newest first.

    Raises:
        ConfigurationError: a key is malformed, or the key service refuses it.
        TransportError: the key service cannot be reached.
    """
    values = [key.reveal() for key in settings.encryption_keys]
    service = settings.key_service
    if service is not None and any(map(is_wrapped, values)):
        # Imported only here: it loads the HTTP client.
        from paraph.remote.key_service import open_key_service

        async with open_key_service(service) as wrapper:
            for place, value in enumerate(values):
                if is_wrapped(value):
                    key_id, _, wrapped = value.partition(":")
                    key = await wrapper.unwrap(key_id, wrapped)
                    values[place] = f"{key_id}:{encode_base64url(key)}"
    return KeyRing.parse(values)


async def new_wrapped_key(service: KeyService | None, random_bytes: Callable[[int], bytes]) -> str:
    """Return a fresh wrapped key for `encryption_keys`; its plain text is never shown.

    Raises:
        ConfigurationError: there is no key service, or it refuses.
        TransportError: it cannot be reached.
    """
    if service is None:
        raise ConfigurationError(
            ["key_service_url is missing"],
            remedy="Set it, with key_service_key and a token; see docs/how-to/keys.md.",
        )
    from paraph.remote.key_service import open_key_service

    key_id = random_bytes(4).hex()
    async with open_key_service(service) as wrapper:
        return f"{key_id}:{await wrapper.wrap(key_id, random_bytes(KEY_BYTES))}"
