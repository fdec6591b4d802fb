"""The names by which the private side may be reached.

DNS rebinding makes a browser reach a private address under a public name. So the deciding question
is whether an outsider can own the name. An address has no owner; a name without dots is resolved by
this network alone; `.localhost`, `.internal` and `.home.arpa` are reserved (RFC 6761, RFC 8375, and
ICANN's reservation of .internal). `.local` is not among them: any device of the network may claim
a name there (RFC 6762). Every other name must be in the settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol
from urllib.parse import urlsplit

from paraph.http.forwarded import parse_address

Headers = Iterable[tuple[bytes, bytes]]

_HOST = re.compile(rb"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::[0-9]{1,5})?")
# No public registry sells these; the last two are those of Kubernetes and Compose networks.
_RESERVED = (".localhost", ".internal", ".home.arpa", ".svc", ".cluster.local")


class _Settings(Protocol):
    @property
    def private_hosts(self) -> tuple[str, ...]: ...

    @property
    def private_bind(self) -> tuple[str, int]: ...

    @property
    def operator_url(self) -> str: ...


def private_names(settings: _Settings) -> tuple[str, ...]:
    """Return the names of `private_hosts`, of the bound address, and of `operator_url`."""
    operators = urlsplit(settings.operator_url).hostname or ""
    return (*settings.private_hosts, settings.private_bind[0], *([operators] if operators else []))


class PrivateHosts:
    """Decides on the `Host` header alone.

    Args:
        names: further names, as written in the settings.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(name.lower().rstrip(".") for name in names)

    def are_ours(self, headers: Headers) -> bool:
        """Return true for exactly one `Host` header with a name that no outsider can own."""
        values = [value for name, value in headers if name == b"host"]
        match = _HOST.fullmatch(values[0]) if len(values) == 1 else None
        if match is None:
            return False
        if match[1] is not None:
            return parse_address(match[1].decode("ascii")) is not None
        name = match[2].decode("ascii").lower().rstrip(".")
        if name in self._names or name.endswith(_RESERVED):
            return True
        # Some browsers read a name of digits alone as another spelling of an address.
        return parse_address(name) is not None or ("." not in name and not name.isdigit())
