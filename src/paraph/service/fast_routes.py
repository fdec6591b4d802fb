"""The routes of the fast path: deliveries, authorization responses, access tokens.

This module only finds the endpoints and leaves unusual requests to the ASGI path: the rules are in
the endpoints, which both paths run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.types import Scope

from paraph.api.access_token import MAX_BODY_BYTES
from paraph.api.app import VEND_PATH, ManagementApi
from paraph.api.proxy import holds_own_header
from paraph.endpoints.routes import PublicSide
from paraph.http.endpoint import Steps
from paraph.http.fast_path.batch import FastRoute, FindRoute
from paraph.http.security_headers import MACHINE_HEADERS
from paraph.service.private import failed

# Every server and every parser reads these alike; anything unusual takes the ASGI path.
_LENGTH_DIGITS = 4
_QUERY = rb"\?([!-\"$-~]*)"


def public_fast_routes(public: PublicSide) -> FindRoute:
    """Return the routes of the public side that the fast path may answer."""
    webhook_path, redirect_path = f"{public.base}/webhook", f"{public.base}/oauth/redirect"
    webhook, redirection = public.table[webhook_path], public.table[redirect_path]
    redirect = re.compile(re.escape(redirect_path.encode()) + _QUERY)
    delivered, redirected = webhook_path.encode(), f"{redirect_path}?".encode()

    def begin_redirection(scope: Scope, named: Mapping[bytes, bytes]) -> Steps | None:
        match = redirect.fullmatch(scope["target"])
        if match is None or b"content-length" in named or b"transfer-encoding" in named:
            return None
        return redirection.endpoint({**scope, "query_string": match[1]}, named)

    deliveries = FastRoute(b"POST", webhook.endpoint, headers=webhook.headers)
    redirects = FastRoute(b"GET", begin_redirection, headers=redirection.headers)

    def find(target: bytes) -> FastRoute | None:
        if target == delivered:
            return deliveries
        return redirects if target.startswith(redirected) else None

    return find


def private_fast_routes(api: ManagementApi) -> FindRoute:
    """Return the routes of the private side that the fast path may answer."""

    def begin(scope: Scope, named: Mapping[bytes, bytes]) -> Steps | None:
        match = VEND_PATH.fullmatch(scope["target"])
        length = named.get(b"content-length", b"")
        authorization = named.get(b"authorization")
        if (
            match is None
            # The Host header of a call without an API key is checked, on the ASGI path.
            or authorization is None
            # No header may be repeated: neither a length nor a key.
            or len(named) != len(scope["headers"])
            or holds_own_header(named)
            or len(length) > _LENGTH_DIGITS
            or not length.isdigit()
            or int(length) > MAX_BODY_BYTES
        ):
            return None
        return api.vend(match[1].decode(), authorization)

    vend = FastRoute(
        b"POST", begin, headers=MACHINE_HEADERS, failed=lambda error: failed("POST", error)
    )

    def find(target: bytes) -> FastRoute | None:
        return vend if target.endswith(b"/access-token") else None

    return find
