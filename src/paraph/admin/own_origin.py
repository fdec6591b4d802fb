"""Whether a request was made to these pages, and a form by them.

The private side listens on loopback, where any page of the web may send a browser: by a name of
its own that it points to 127.0.0.1 (DNS rebinding), or by a form. So the `Host` must be a loopback
address or the configured `operator_url`, and a form must come from that very origin. A name that
somebody else can point here is none of ours; a literal loopback address cannot be pointed anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from paraph.admin.refusal import Refusal
from paraph.setting_judge import is_loopback

Headers = Iterable[tuple[bytes, bytes]]

_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(:[0-9]{1,5})?")


class OwnOrigin:
    """Decides by headers alone.

    Args:
        operator_url: the origin by which operators reach these pages, besides loopback; may be
            empty.
    """

    def __init__(self, operator_url: str) -> None:
        self._url = operator_url
        self._host = urlsplit(operator_url).netloc

    def demand_host(self, headers: Headers) -> frozenset[str]:
        """The origins that the pages have for who reaches them by this `Host`.

        Raises:
            Refusal: it is missing, there are two, or it is none of ours.
        """
        hosts = [value.decode("latin-1").lower() for name, value in headers if name == b"host"]
        match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if match is not None:
            if self._host and match[0] == self._host:
                return frozenset({self._url})
            if is_loopback(match[1]):
                # Over TLS too: what stands in front may end it.
                return frozenset({f"http://{match[0]}", f"https://{match[0]}"})
        raise Refusal(
            421,
            "These pages are not served under this name",
            "Open them by a loopback address, like http://127.0.0.1:8001/admin/ through a tunnel,"
            " or set operator_url.",
        )

    @staticmethod
    def demand_form(headers: Headers, origins: frozenset[str]) -> None:
        """`Refusal` unless a page of ours, in the same origin, has sent this form."""
        found = list(headers)
        origin = [value.decode("latin-1") for name, value in found if name == b"origin"]
        site = [value for name, value in found if name == b"sec-fetch-site"]
        ours = len(origin) == 1 and origin[0] in origins
        if not ours or site not in ([], [b"same-origin"]):
            raise Refusal(
                403,
                "This form was not sent from here",
                "Nothing was done. Open the page itself, and press the button there.",
            )


def came_from_elsewhere(headers: Headers) -> bool:
    """Whether a link outside has led here: then the browser keeps the session's cookie back."""
    return any(n == b"sec-fetch-site" and v in {b"cross-site", b"same-site"} for n, v in headers)
