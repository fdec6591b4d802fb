"""Distinguishes the causes of connections that got no response, each with its remedy.

An HTTP library raises exceptions of its own, caused by one of the system or of OpenSSL. `cause_of`
reads the latter, so that all libraries are treated alike. No text of a library is repeated: it
may quote a URL.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum

from paraph.errors import TransportError


class Cause(StrEnum):
    """The cause of a failed request. The values are stable: logs and hosts may rely on them."""

    NAME_NOT_RESOLVED = "name_not_resolved"
    CONNECTION_REFUSED = "connection_refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_WRONG_NAME = "certificate_wrong_name"
    TLS_FAILED = "tls_failed"
    PROXY_NOT_RESOLVED = "proxy_not_resolved"
    PROXY_UNREACHABLE = "proxy_unreachable"
    PROXY_CREDENTIALS = "proxy_credentials"
    PROXY_REFUSED = "proxy_refused"
    PROXY_FAILED = "proxy_failed"
    READ_TIMEOUT = "read_timeout"
    RESPONSE_INCOMPLETE = "response_incomplete"
    RESPONSE_TOO_LARGE = "response_too_large"
    RESPONSE_COMPRESSED = "response_compressed"
    REDIRECT = "redirect"

    @property
    def may_pass(self) -> bool:
        """False if a repetition can succeed only after an operator has changed something."""
        return self in _PASSING


_PASSING = frozenset(
    {
        Cause.NAME_NOT_RESOLVED,
        Cause.CONNECTION_REFUSED,
        Cause.UNREACHABLE,
        Cause.CONNECT_TIMEOUT,
        Cause.PROXY_NOT_RESOLVED,
        Cause.PROXY_UNREACHABLE,
        Cause.PROXY_FAILED,
        Cause.READ_TIMEOUT,
        Cause.RESPONSE_INCOMPLETE,
    }
)

_PROXY_MAY_BE_NEEDED = (
    "If this machine reaches it through a proxy only, set outgoing_proxy; otherwise check its "
    "firewall and try again in a few minutes."
)
# In each text: `peer` is the requested origin, `proxy` the proxy without its credentials.
# `trust` is the setting that names certificate authorities, `seconds` the timeout, and `extra` a
# detail.
_WORDS: dict[Cause, tuple[str, str]] = {
    Cause.NAME_NOT_RESOLVED: (
        "the host name of {peer} cannot be resolved",
        (
            "Check the name and the DNS settings of this machine. If names are resolved by a proxy "
            "only, set outgoing_proxy."
        ),
    ),
    Cause.CONNECTION_REFUSED: (
        "{peer} refused the connection",
        "Check that a server listens there, and its port. " + _PROXY_MAY_BE_NEEDED,
    ),
    Cause.UNREACHABLE: ("{peer} cannot be reached from this machine", _PROXY_MAY_BE_NEEDED),
    Cause.CONNECT_TIMEOUT: (
        "no connection to {peer}{through} was made within {seconds:g} s",
        _PROXY_MAY_BE_NEEDED,
    ),
    Cause.CERTIFICATE_UNTRUSTED: (
        "the certificate of {peer}{through} is not signed by a trusted authority{extra}",
        (
            "If a proxy or a private authority signs it, name a PEM file with that authority's "
            "certificate in {trust}."
        ),
    ),
    Cause.CERTIFICATE_EXPIRED: (
        "the certificate of {peer}{through} is expired or not valid yet",
        "Renew the certificate there, and check the clock of this machine.",
    ),
    Cause.CERTIFICATE_WRONG_NAME: (
        "the certificate of {peer}{through} was issued for another name",
        "Use a name that the certificate contains, or have it issued for this one.",
    ),
    Cause.TLS_FAILED: (
        "{peer}{through} ended the TLS handshake{extra}",
        "Check that its port speaks TLS 1.2 or newer, and that nothing in between cuts TLS off.",
    ),
    Cause.PROXY_NOT_RESOLVED: (
        "the host name of the proxy {proxy} cannot be resolved",
        "Correct outgoing_proxy, or the DNS settings of this machine.",
    ),
    Cause.PROXY_UNREACHABLE: (
        "the proxy {proxy} does not accept connections",
        "Check outgoing_proxy, and that the proxy runs.",
    ),
    Cause.PROXY_CREDENTIALS: (
        "the proxy {proxy} refused the credentials of outgoing_proxy (407)",
        "Correct the user name and password in outgoing_proxy: http://USER:PASSWORD@HOST:PORT.",
    ),
    Cause.PROXY_REFUSED: (
        "the proxy {proxy} refused to connect to {peer} ({extra})",
        (
            "Allow this destination at the proxy. If it is reached without a proxy, name its host "
            "in outgoing_proxy_bypass."
        ),
    ),
    Cause.PROXY_FAILED: (
        "the proxy {proxy} could not connect to {peer} ({extra})",
        (
            "Look at the log of the proxy and try again in a few minutes; if the destination is "
            "reached without the proxy, name its host in outgoing_proxy_bypass."
        ),
    ),
    Cause.READ_TIMEOUT: (
        "{peer} did not answer{through} in {seconds:g} s",
        "Try again in a few minutes.",
    ),
    Cause.RESPONSE_INCOMPLETE: (
        "{peer}{through} closed the connection before its response was complete, or spoke no HTTP",
        "Try again in a few minutes; if the error persists, check what answers at this address.",
    ),
    Cause.RESPONSE_TOO_LARGE: (
        "the response of {peer} was larger than {extra}",
        "Check that this is the right address.",
    ),
    Cause.RESPONSE_COMPRESSED: (
        "the response of {peer} was compressed, although the request allows no compression",
        "Check what stands between this machine and {peer}.",
    ),
    Cause.REDIRECT: (
        "the response of {peer} was a redirect, which is never followed",
        "Give the final address in the settings.",
    ),
}


def failure(
    cause: Cause,
    *,
    peer: str,
    proxy: object = None,
    seconds: float = 0,
    extra: str = "",
    trust: str = "ca_file",
) -> TransportError:
    """Return the error for a cause.

    Args:
        cause: the cause.
        peer: the requested origin, like "https://zoom.us".
        proxy: shown without its credentials; None for a direct connection.
        seconds: the timeout that has passed.
        extra: a detail, such as the status of the proxy's response.
        trust: the setting that names the certificate authorities for this peer.
    """
    detail, remedy = _WORDS[cause]
    through = "" if proxy is None else f" (through the proxy {proxy})"
    words = {"peer": peer, "proxy": proxy, "through": through, "trust": trust}
    if cause in {Cause.CERTIFICATE_UNTRUSTED, Cause.TLS_FAILED} and extra:
        extra = f" ({extra})"
    error = TransportError(
        detail.format(**words, seconds=seconds, extra=extra), remedy=remedy.format(**words)
    )
    error.cause = cause
    return error


def proxy_cause(status: int) -> Cause:
    """Return the cause for the status of a proxy's response to CONNECT (RFC 9110 section 9.3.6)."""
    if status == 407:
        return Cause.PROXY_CREDENTIALS
    return Cause.PROXY_FAILED if status >= 500 else Cause.PROXY_REFUSED


def cause_of(error: BaseException, *, proxied: bool, tls: bool) -> tuple[Cause, str]:
    """Return the cause of a failed connection, and a detail of it.

    Args:
        error: the exception of the HTTP library.
        proxied: True if the connection went to a proxy first.
        tls: True if a TLS handshake follows.
    """
    for one in _chain(error):
        # aiohttp's own classes derive from these too, but lack OpenSSL's reason.
        if isinstance(one, ssl.SSLCertVerificationError) and hasattr(one, "verify_code"):
            return _certificate_cause(one)
        if isinstance(one, ssl.SSLError):
            if hasattr(one, "reason"):
                return Cause.TLS_FAILED, str(one.reason or "").lower().replace("_", " ")
            # Its number is OpenSSL's, not the system's.
            continue
        if isinstance(one, socket.gaierror):
            return Cause.PROXY_NOT_RESOLVED if proxied else Cause.NAME_NOT_RESOLVED, ""
        if isinstance(one, ConnectionRefusedError):
            return Cause.PROXY_UNREACHABLE if proxied else Cause.CONNECTION_REFUSED, ""
        if isinstance(one, OSError) and one.errno in _NO_ROUTE:
            return Cause.PROXY_UNREACHABLE if proxied else Cause.UNREACHABLE, ""
    # The connection was made, and ended before a request was sent.
    return Cause.TLS_FAILED if tls else Cause.RESPONSE_INCOMPLETE, ""


_NO_ROUTE = frozenset(
    {
        *(errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN),
        *(errno.EADDRNOTAVAIL, errno.EPERM, errno.EACCES, errno.ETIMEDOUT),
    }
)
# Error numbers of OpenSSL (x509_vfy.h).
_OUT_OF_TIME = frozenset({9, 10})
_OTHER_NAME = frozenset({62, 63, 64})


def _certificate_cause(error: ssl.SSLCertVerificationError) -> tuple[Cause, str]:
    code = error.verify_code
    if code in _OUT_OF_TIME:
        return Cause.CERTIFICATE_EXPIRED, ""
    if code in _OTHER_NAME:
        return Cause.CERTIFICATE_WRONG_NAME, ""
    return Cause.CERTIFICATE_UNTRUSTED, error.verify_message


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and those that caused it, including the innermost of a group."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from _chain(one)
        # httpcore raises its own error "from None", so the cause is found as the context.
        error = error.__cause__ or error.__context__
