"""The handle of one installation, and the backend that carries its calls out.

Generated from `calls/asynchronous_handle.py` by `make docs`: change that file, not this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from paraph.calls.arguments import Filters, ZoomCall, caller_headers, id_segment, subject_text
from paraph.errors import NotFound, UsageError
from paraph.values import (
    AccessToken,
    Claim,
    Installation,
    LinkRequest,
    Page,
    Receipt,
    ZoomResponse,
)

Result = TypeVar("Result")


class Backend(Protocol):
    """The service as the calls reach it: in this process, or by the management API."""

    def request_link(self, subject: str, challenge: str, return_to: str) -> LinkRequest:
        """Store a link request."""

    def claim(self, handoff: str, verifier: str) -> Claim:
        """Open a handoff."""

    def confirm(self, claim: str, subject: str, *, move: bool) -> Installation:
        """Confirm a claim."""

    def decline(self, claim: str) -> None:
        """Decline a claim."""

    def page(self, filters: Filters, after: str, limit: int) -> Page[Installation]:
        """Return one page of the active installations, ordered by id."""

    def find(self, subject: str) -> Installation:
        """Return the installation of a subject, or raise `NotFound`."""

    def get(self, installation_id: str) -> Installation:
        """Return an installation by its id, or raise `NotFound`."""

    def access_token(self, installation_id: str, subject: str) -> AccessToken:
        """Vend an access token."""

    def remove(self, installation_id: str) -> Receipt:
        """Remove an installation."""

    def request(self, installation_id: str, subject: str, call: ZoomCall) -> ZoomResponse:
        """Call Zoom's REST API."""


class InstallationHandle:
    """The installation of one local account. `installation(subject)` returns it.

    Nothing is looked up before the first call. Each call proves that the installation is active
    and belongs to the subject. So a handle may be kept for as long as the program runs.

    Example:
        jane = zoom.installation("acct_42")
        response = jane.get("/users/me")
        assert response.json()["email"] == "jane@example.com"
    """

    def __init__(self, backend: Callable[[], Backend], subject: str, installation_id: str) -> None:
        if not subject and not installation_id:
            raise UsageError(
                "an installation without a subject",
                remedy="Give the subject of the signed-in user, or an installation_id.",
            )
        self._backend = backend
        self._subject = subject_text(subject)
        self._installation_id = installation_id
        self._found: tuple[str, str] | None = None

    def status(self) -> Installation:
        """Return the installation as it is now, also if it needs a new consent.

        Raises:
            NotFound: the subject has no installation.
            NotAllowed: the API key of the client lacks the scope `read`.

        Example:
            status = zoom.installation("acct_42").status()
            assert (status.phase, status.zoom.display_name) == ("active", "Jane Dev")
        """
        if not self._installation_id:
            return self._backend().find(self._subject)
        installation = self._backend().get(id_segment(self._installation_id))
        if self._subject and installation.subject != self._subject:
            raise NotFound("the installation is another subject's")
        return installation

    def is_active(self) -> bool:
        """Return True if the subject has an installation that can call Zoom now.

        It is False without an installation, while a removal is verified, and if Zoom ended the
        grant: a page then shows "Connect Zoom".

        Raises:
            NotAllowed: the API key of the client lacks the scope `read`.

        Example:
            assert zoom.installation("acct_42").is_active()
        """
        try:
            return (self.status()).phase == "active"
        except NotFound:
            return False

    def access_token(self) -> AccessToken:
        """Return a valid access token, for calls that the methods here do not make.

        Request one for each use and do not store it. `get`, `post` and `request` need none.

        Raises:
            NotFound: the subject has no active installation.
            NeedsReauthorization: Zoom ended the grant; send the user to `reauthorize_url`.
            BeingDecided: Zoom announced a removal that is being verified; try again.
            PeerError, TransportError: Zoom refused the refresh, or cannot be reached.
            NotAllowed: the API key of the client lacks the scope `vend`.

        Example:
            token = zoom.installation("acct_42").access_token()
            headers = {"authorization": f"Bearer {token.access_token}"}
        """
        return self._use(
            lambda backend, installation_id, subject: backend.access_token(installation_id, subject)
        )

    def remove(self) -> Receipt:
        """Remove the installation: unusable here at once, and revoked at Zoom soon after.

        Raises:
            NotFound: the subject has no installation.
            NotAllowed: the API key of the client lacks the scope `remove`.

        Example:
            receipt = zoom.installation("acct_42").remove()
            assert receipt.destroyed["grants"] == 1
        """
        return self._backend().remove((self.status()).id)

    def get(
        self, path: str, query: Mapping[str, str | int] | None = None, /, **fields: str | int
    ) -> ZoomResponse:
        """Send GET to a path of Zoom's REST API.

        Args:
            path: the encoded path behind `/v2`, such as "/users/me".
            query: query parameters whose names are no Python names, such as "from".
            fields: further query parameters.

        Raises:
            ParaphError: as for `request`.

        Example:
            response = zoom.installation("acct_42").get("/users/me/meetings", page_size=30)
            assert response.status == 200
        """
        return self.request("GET", path, query={**(query or {}), **fields})

    def post(self, path: str, json: Any = None) -> ZoomResponse:
        """Send POST to a path of Zoom's REST API.

        Args:
            path: the encoded path behind `/v2`, such as "/users/me/meetings".
            json: a value to send as the body.

        Raises:
            ParaphError: as for `request`.

        Example:
            meeting = {"topic": "Planning", "type": 2}
            response = zoom.installation("acct_42").post("/users/me/meetings", meeting)
        """
        return self.request("POST", path, json=json)

    def put(self, path: str, json: Any = None) -> ZoomResponse:
        """Send PUT to a path of Zoom's REST API.

        Args:
            path: the encoded path behind `/v2`, such as "/meetings/85746065432/status".
            json: a value to send as the body.

        Raises:
            ParaphError: as for `request`.

        Example:
            jane = zoom.installation("acct_42")
            response = jane.put("/meetings/85746065432/status", {"action": "end"})
        """
        return self.request("PUT", path, json=json)

    def patch(self, path: str, json: Any = None) -> ZoomResponse:
        """Send PATCH to a path of Zoom's REST API.

        Args:
            path: the encoded path behind `/v2`, such as "/meetings/85746065432".
            json: a value to send as the body.

        Raises:
            ParaphError: as for `request`.

        Example:
            jane = zoom.installation("acct_42")
            response = jane.patch("/meetings/85746065432", {"topic": "Retrospective"})
        """
        return self.request("PATCH", path, json=json)

    def delete(
        self, path: str, query: Mapping[str, str | int] | None = None, /, **fields: str | int
    ) -> ZoomResponse:
        """Send DELETE to a path of Zoom's REST API.

        Args:
            path: the encoded path behind `/v2`, such as "/meetings/85746065432".
            query: query parameters whose names are no Python names.
            fields: further query parameters.

        Raises:
            ParaphError: as for `request`.

        Example:
            response = zoom.installation("acct_42").delete("/meetings/85746065432")
        """
        return self.request("DELETE", path, query={**(query or {}), **fields})

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ZoomResponse:
        """Call Zoom's REST API and return its response, with any status.

        The access token is added, kept valid, and never shown. A path is sent unchanged or
        refused.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: the encoded path behind `/v2`, such as "/users/me/meetings".
            query: query parameters.
            json: a value to send as the body.
            content: the body, in place of `json`.
            headers: further headers; only those that the proxy permits reach Zoom.

        Raises:
            CallRefused: the path, the query or a header is malformed, or `proxy_allow` does not
                cover the call.
            ResponseTooLarge: the response is larger than the limit.
            NotFound: the subject has no active installation.
            NeedsReauthorization: Zoom ended the grant; send the user to `reauthorize_url`.
            BeingDecided: Zoom announced a removal that is being verified; try again.
            PeerError, TransportError: Zoom refused the refresh, or cannot be reached.
            NotAllowed: the API key of the client lacks the scope `proxy`.

        Example:
            jane = zoom.installation("acct_42")
            response = jane.request("GET", "/users/me/meetings", query={"from": "2026-01-01"})
            if response.status == 429:
                print("wait", response.retry_after, "seconds")
        """
        call = ZoomCall(method, path, query or {}, json, content, caller_headers(headers or {}))
        return self._use(
            lambda backend, installation_id, subject: backend.request(
                installation_id, subject, call
            )
        )

    def _use(self, call: Callable[[Backend, str, str], Result]) -> Result:
        was_known = self._found is not None
        try:
            return call(self._backend(), *(self._ids()))
        except NotFound:
            if not was_known:
                raise
            # The user may have removed the app and installed it again: look once more.
            self._found = None
        return call(self._backend(), *(self._ids()))

    def _ids(self) -> tuple[str, str]:
        if self._installation_id and self._subject:
            return id_segment(self._installation_id), self._subject
        found = self._found
        if found is None:
            installation = self.status()
            self._found = found = (installation.id, installation.subject)
        return found
