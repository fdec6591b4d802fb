"""Checks that a request is meant for these pages and that a form was sent by them.

The private side listens on loopback, and any web page can make a browser send requests there. It
can use a form, or a DNS name that it points to 127.0.0.1 (DNS rebinding). So the `Host` must be a
literal loopback address or the configured `operator_url`, and a form must come from that origin.
An attacker controls the address of their own DNS name, but not of a literal one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from paraph.admin.page import Refusal
from paraph.settings.validation import is_loopback

Headers = Iterable[tuple[bytes, bytes]]

_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(:[0-9]{1,5})?")


class OwnOrigin:
    """Checks requests by their headers alone.

    Args:
        operator_url: the origin of these pages besides loopback; "" if there is no other.
    """

    def __init__(self, operator_url: str) -> None:
        self._url = operator_url
        self._host = urlsplit(operator_url).netloc

    def demand_host(self, headers: Headers) -> frozenset[str]:
        """Check the `Host` header; return the origins that a form for this host may have.

        Raises:
            Refusal: the header is missing, repeated, or names another host.
        """
        hosts = [value.decode("latin-1").lower() for name, value in headers if name == b"host"]
        match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if match is not None:
            if self._host and match[0] == self._host:
                return frozenset({self._url})
            if is_loopback(match[1]):
                # Accept https too, because a proxy in front may terminate TLS.
                return frozenset({f"http://{match[0]}", f"https://{match[0]}"})
        raise Refusal(
            421,
            "These pages are not served under this name",
            "Open them at a loopback address, like http://127.0.0.1:8001/admin/ through a tunnel,"
            " or set operator_url.",
        )

    @staticmethod
    def demand_form(headers: Headers, origins: frozenset[str]) -> None:
        """Check that a page of the same origin has sent a form.

        Raises:
            Refusal: the headers do not show that.
        """
        found = list(headers)
        origin = [value.decode("latin-1") for name, value in found if name == b"origin"]
        site = [value for name, value in found if name == b"sec-fetch-site"]
        ours = len(origin) == 1 and origin[0] in origins
        if not ours or site not in ([], [b"same-origin"]):
            raise Refusal(
                403,
                "This form was not sent from here",
                "Nothing was done. Open the page itself and use its form.",
            )


def came_from_another_site(headers: Headers) -> bool:
    """Return True if a link on another site led here; then the browser sends no session cookie."""
    return any(n == b"sec-fetch-site" and v in {b"cross-site", b"same-site"} for n, v in headers)
