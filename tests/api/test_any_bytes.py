"""Whatever bytes a caller with a live key sends, no response is a 500."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.installed import SUBJECT
from api.live import Live

pytestmark = pytest.mark.slow

# API_EXAMPLES=5000 for a long look.
EXAMPLES = int(os.environ.get("API_EXAMPLES", "300"))
BYTES = st.binary(max_size=40)
LINE = BYTES.map(lambda value: value.replace(b"\r", b"").replace(b"\n", b""))
# What a parser lets through, and so meets the code behind it; the last one for the parser itself.
VALUES = st.one_of(
    *[st.lists(st.sampled_from([*range(0x21, 0x7F), *range(0x80, 0x100)])).map(bytes)] * 4, LINE
)
ENCODED = st.one_of(*[BYTES.map(lambda value: quote(value).encode())] * 4, LINE)
METHODS = st.sampled_from(
    [*(b"GET", b"POST") * 4, b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS"]
)
NAMES = st.sampled_from(
    [
        *(b"accept", b"content-type", b"if-match", b"range", b"cookie", b"x-other"),
        *(b"paraph-subject", b"idempotency-key", b"expect", b"x-forwarded-for"),
        *(b"accept-language", b"if-none-match", b"authorization"),
    ]
)
PATHS = st.sampled_from(
    [
        *(b"/v1/installations", b"/v1/installations/{id}", b"/v1/installations/{id}/access-token"),
        *(b"/v1/installations/{id}/zoom/v2/users/me", b"/v1/installations/{id}/zoom/v2/"),
        *(b"/v1/link-requests", b"/v1/handoffs/claim", b"/v1/claims/{any}/confirm"),
        *(b"/v1/claims/{any}/decline", b"/v1/audit", b"/v1/audit/verify", b"/v1/events"),
        *(b"/v1/events/{any}", b"/v1/events/{any}/redeliver", b"/v1/{any}", b"/{any}", b"/metrics"),
        *(b"/v1/installations/{any}/zoom/v2/users/{any}", b"/v1/installations/{any}"),
    ]
)
BODIES = st.one_of(
    BYTES,
    st.sampled_from(
        [
            b'{"subject": "' + SUBJECT.encode() + b'"}',
            b'{"subject": "\\ud800"}',
            b'{"subject": "a\\u0000b", "challenge": "' + b"c" * 43 + b'"}',
            b'{"subject": 1e999, "challenge": []}',
            b'{"heads": {"1": "x", "99999999999999999999": "' + b"0" * 64 + b'"}}',
            b'{"handoff": "\\udfff", "verifier": "\\u0000"}',
            b"[" * 20_000,
            b'{"subject": "' + b"x" * 5000 + b'"}',
        ]
    ),
)


@dataclass
class Asked:
    """A request before it is bytes; `{id}` is the installation's, `{any}` the filling."""

    method: bytes
    path: bytes
    filling: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def message(self, live: Live) -> bytes:
        """The bytes."""
        # Deleting would succeed, and everything after it would meet nothing.
        deletes = self.method == b"DELETE" and self.path.endswith(b"{id}")
        target = self.path.replace(b"{id}", live.installation_id.encode()).replace(
            b"{any}", self.filling
        )
        query = b"?" + self.query if self.query else b""
        lines = [
            (b"GET" if deletes else self.method) + b" " + target + query + b" HTTP/1.1",
            b"host: private",
            b"authorization: " + live.key.encode(),
            *(name + b": " + value for name, value in self.headers),
            b"content-length: " + str(len(self.body)).encode(),
            b"connection: close",
        ]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body


ASKED = st.builds(
    Asked,
    method=METHODS,
    path=PATHS,
    filling=ENCODED,
    query=st.one_of(st.just(b""), st.just(b"limit=1"), ENCODED),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=2),
    body=BODIES,
)


def ask(live: Live, message: bytes) -> bytes:
    """Send bytes; the first line of the response."""
    with socket.create_connection(("127.0.0.1", urlsplit(live.url).port or 0), 20) as connection:
        connection.sendall(message)
        return connection.makefile("rb").readline()


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(asked=ASKED)
def test_no_bytes_make_a_500(live: Live, asked: Asked) -> None:
    """Any method, path, query, headers and body, through a real server."""
    response = ask(live, asked.message(live))

    # No response at all where the connection is closed upon something that is no HTTP.
    assert b" 500 " not in response, response
    assert response == b"" or response.startswith(b"HTTP/1.")
