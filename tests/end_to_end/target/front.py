"""A proxy in front of a service: it terminates TLS and forwards the scheme of the request."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

_FORWARDING = (b"x-forwarded-", b"forwarded:", b"connection:")
_MAX_HEAD = 65536


async def serve_front(port: int, inner_port: int, certificate: str, key: str) -> asyncio.Server:
    """Listen on `port` and forward each request, with its scheme, to `inner_port`.

    Args:
        port: the port to listen on.
        inner_port: the port of the service.
        certificate: the file of the certificate chain; "" serves plain http.
        key: the file of its private key.
    """
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    scheme = b"https" if certificate else b"http"

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            inner, outer = await asyncio.open_connection("127.0.0.1", inner_port)
            outer.write(_rewritten(head, scheme))
            await asyncio.gather(_copy(reader, outer), _copy(inner, writer))
        writer.close()

    return await asyncio.start_server(pass_on, "127.0.0.1", port, ssl=context, limit=_MAX_HEAD)


def _rewritten(head: bytes, scheme: bytes) -> bytes:
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(_FORWARDING)]
    return (
        b"\r\n".join([*kept, b"x-forwarded-proto: " + scheme, b"connection: close"]) + b"\r\n\r\n"
    )


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
