"""The connection of a client to the service: its route, its errors, and the parsing of responses.

Both clients share everything here; they differ only in how they send.
"""

from __future__ import annotations

from typing import Any

import httpx

from paraph.client.calls import Call, Result
from paraph.client.problem import problem_for
from paraph.client.request_path import demand_intended, service_url
from paraph.errors import ParaphError, ServiceUnreachable, UsageError
from paraph.outgoing.http_client import client_arguments, failure_of
from paraph.outgoing.route import origin_of
from paraph.outgoing.settings import check_route
from paraph.values import ZoomResponse

TIMEOUT_SECONDS = 30.0


class Connection:
    """The route to one service.

    Args:
        url: the URL of the service.
        api_key: the API key that every request presents.
        outgoing_proxy: the URL of an HTTP proxy; "" for a direct connection.
        ca_file: a PEM file of additional certificate authorities; "" for the public ones only.
        timeout: seconds for each step of a call.

    Raises:
        UsageError: the URL, the proxy or the file cannot be used.
    """

    def __init__(
        self, url: str, api_key: str, *, outgoing_proxy: str, ca_file: str, timeout: float
    ) -> None:
        self._url = service_url(url)
        self._api_key = api_key
        self._origin = origin_of(str(self._url))
        self._timeout = timeout
        self._route, problems = check_route(proxy=outgoing_proxy, bypass=(), ca_file=ca_file)
        if self._route.proxy_for(self._origin) is not None and self._url.scheme != "https":
            problems.append("outgoing_proxy would see the API key: use an https URL, or no proxy")
        if problems:
            raise UsageError(
                "The client cannot be used: " + "; ".join(problems) + ".",
                remedy="Correct the arguments of the client.",
            )

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the arguments for the client of the HTTP library."""
        return {
            **client_arguments(self._route, [self._origin]),
            "timeout": self._timeout,
            "base_url": self._url,
            "headers": {"authorization": f"Bearer {self._api_key}"},
        }

    def check(self, request: httpx.Request, path: str) -> httpx.Request:
        """Return a request if the HTTP library has built the intended one.

        Args:
            request: the request as it would be sent.
            path: the encoded path of the call.

        Raises:
            CallRefused: the library has changed the URL.
        """
        demand_intended(request, self._url, path)
        return request

    def failed(self, error: httpx.TransportError) -> ServiceUnreachable:
        """Convert an exception of the HTTP library, whose text may quote the URL."""
        failure = failure_of(error, origin=self._origin, route=self._route, seconds=self._timeout)
        unreachable = ServiceUnreachable(
            f"The service does not respond: {failure.detail}.", remedy=failure.remedy
        )
        unreachable.cause = str(failure.cause)
        return unreachable


def result_of(call: Call[Result], response: httpx.Response) -> Result:
    """Parse the response to a call.

    Raises:
        ParaphError: the service refused the call.
    """
    if not response.is_success:
        raise _refusal(response)
    return call.read(_content(response))


def zoom_response_of(response: httpx.Response) -> ZoomResponse:
    """Return Zoom's response to a call through the proxy.

    Raises:
        ParaphError: the response is the service's own: it refused the call.
    """
    if response.headers.get("paraph-answer") != "zoom":
        raise _refusal(response)
    return ZoomResponse(response.status_code, dict(response.headers), response.content)


def _refusal(response: httpx.Response) -> ParaphError:
    content = _content(response)
    document = content if isinstance(content, dict) else {}
    retry_after = response.headers.get("retry-after")
    return problem_for(response.status_code, document, retry_after=retry_after)


def _content(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        return None
