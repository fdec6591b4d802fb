"""The headers of a delivery, however a framework hands them over.

A mapping or pairs, texts or bytes, in any case, a WSGI environ, or a gateway's lists of values. All
become raw pairs, each header as often as it occurs, so that a repeated one is still recognised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from paraph.errors import DeliveryRejected, UsageError
from paraph.zoom.webhook_verification import MAX_BODY_BYTES, SIGNATURE_HEADER, TIMESTAMP_HEADER

GivenHeaders = Mapping[Any, Any] | Iterable[tuple[Any, Any]]
Pairs = list[tuple[bytes, bytes]]

_LENGTH_HEADER = b"content-length"
_NEEDED = frozenset({SIGNATURE_HEADER, TIMESTAMP_HEADER, _LENGTH_HEADER})
# PEP 3333: every environ has this key, and holds the headers under names like HTTP_X_ZM_SIGNATURE.
_ENVIRON_MARK = "REQUEST_METHOD"


def delivery_headers(headers: GivenHeaders) -> Pairs:
    """Return the headers that decide about a delivery as raw pairs, names in lower case.

    Raises:
        UsageError: `headers` is neither a mapping nor pairs.
    """
    is_environ = isinstance(headers, Mapping) and _ENVIRON_MARK in headers
    items = getattr(headers, "items", None)
    pairs: Pairs = []
    try:
        for given, value in headers if items is None else items():
            name = _as_bytes(given).lower()
            if is_environ:
                name = name.removeprefix(b"http_").replace(b"_", b"-")
            if name in _NEEDED:
                pairs.extend((name, one) for one in _values(value))
    except (TypeError, ValueError):
        raise UsageError(
            "the headers are neither a mapping nor pairs of name and value",
            remedy="Pass the headers object of the framework, or the WSGI environ.",
        ) from None
    return pairs


def length_in(headers: Pairs) -> int:
    """Return the largest announced length of a body; 0 if no length is announced.

    Raises:
        DeliveryRejected: an announced length is not a number.
    """
    # An environ without a body may have an empty CONTENT_LENGTH.
    lengths = [value for name, value in headers if name == _LENGTH_HEADER and value]
    if not all(value.isdigit() for value in lengths):
        raise DeliveryRejected("the content-length header is not a number")
    return max(map(announced_length, lengths), default=0)


def announced_length(value: bytes) -> int:
    """Return the announced length of a body; one above the limit if it is not a short number."""
    return int(value) if len(value) < 10 and value.isdigit() else MAX_BODY_BYTES + 1


def _values(value: object) -> Iterator[bytes]:
    """Yield the values of one name: gateways and some servers hand over a list of them."""
    for one in value if isinstance(value, list | tuple) else (value,):
        if one is not None:
            yield _as_bytes(one)


def _as_bytes(value: object) -> bytes:
    # A character outside of Latin-1 becomes a question mark, which no valid header contains.
    return value if isinstance(value, bytes) else str(value).encode("latin-1", "replace")
