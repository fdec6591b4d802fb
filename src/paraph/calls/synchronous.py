"""The calls that `SyncZoom` and `Client` share.

Generated from `calls/asynchronous.py` by `make docs`: change that file, not this one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from paraph.calls.arguments import (
    Filters,
    challenge_of,
    one_use_code,
    page_size_of,
    session_nonce,
    subject_text,
)
from paraph.calls.synchronous_handle import Backend, InstallationHandle
from paraph.values import Claim, Installation, LinkRequest


class Calls(ABC):
    """The calls of a host, for a program without an event loop."""

    _handle_class: type[InstallationHandle] = InstallationHandle

    @property
    @abstractmethod
    def _backend(self) -> Backend:
        """The service that the calls reach."""

    def request_link(self, subject: str, *, nonce: str, return_to: str = "") -> LinkRequest:
        """Begin to link the signed-in user; send their browser to the returned `install_url`.

        Args:
            subject: the local account of the signed-in user, 1 to 255 printable characters.
            nonce: a random text that stays in this user's session, such as
                `secrets.token_urlsafe(32)`. Only its hash is stored.
            return_to: an identifier of the host's own, returned at the end; never a URL.

        Raises:
            UsageError: an argument does not have its form.
            NotAllowed: the API key of the client lacks the scope `link`.

        Example:
            session["nonce"] = secrets.token_urlsafe(32)
            link = zoom.request_link("acct_42", nonce=session["nonce"])
            redirect = link.install_url
        """
        challenge = challenge_of(nonce)
        return self._backend.request_link(subject_text(subject), challenge, return_to)

    def claim(self, handoff: str, *, nonce: str) -> Claim:
        """Open the handoff that the browser brought, once; show the user both accounts.

        Args:
            handoff: the query parameter `handoff` of `link_url`.
            nonce: the nonce of the session that requested the link.

        Raises:
            NotFound: the handoff is unknown, expired or used, or the nonce is another session's.
            NotAllowed: the API key of the client lacks the scope `link`.

        Example:
            claim = zoom.claim(handoff, nonce=session["nonce"])
            question = f"Link {claim.zoom.email} to {claim.subject}?"
        """
        return self._backend.claim(one_use_code(handoff), session_nonce(nonce))

    def confirm(self, claim: Claim | str, *, subject: str, move: bool = False) -> Installation:
        """Confirm a claim: the user agreed to both accounts.

        Args:
            claim: the value that `claim()` returned, or its text `claim.claim`.
            subject: the signed-in local account; must be the one that requested the link.
            move: True if the user also agreed to the changes in `claim.replaces`.

        Raises:
            NotFound: there is no live claim, or it is another subject's.
            LinkConflict: an installation would be replaced, and `move` is not set.
            Conflict: the grant is being decided; try again in a moment.
            NotAllowed: the API key of the client lacks the scope `link`.

        Example:
            claim = zoom.claim(handoff, nonce=session["nonce"])
            installation = zoom.confirm(claim, subject="acct_42")
            assert installation.phase == "active"
        """
        code = one_use_code(claim)
        return self._backend.confirm(code, subject_text(subject), move=move)

    def decline(self, claim: Claim | str) -> None:
        """Decline a claim: the user refused.

        Args:
            claim: the value that `claim()` returned, or its text `claim.claim`.

        Raises:
            NotFound: there is no live claim.
            NotAllowed: the API key of the client lacks the scope `link`.

        Example:
            claim = zoom.claim(handoff, nonce=session["nonce"])
            zoom.decline(claim)
        """
        self._backend.decline(one_use_code(claim))

    def installations(
        self,
        *,
        subject: str | None = None,
        account_id: str | None = None,
        user_id: str | None = None,
        page_size: int = 100,
    ) -> Iterator[Installation]:
        """Iterate over all matching installations; pages are fetched as needed.

        Args:
            subject: only of this local account.
            account_id: only of this Zoom account.
            user_id: only of this Zoom user.
            page_size: installations in each request, at most 200.

        Raises:
            UsageError: an argument does not have its form.
            NotAllowed: the API key of the client lacks the scope `read`.

        Example:
            for installation in zoom.installations(subject="acct_42"):
                print(installation.id, installation.phase)
        """
        limit = page_size_of(page_size)
        filters = Filters(subject, account_id, user_id)
        after: str | None = ""
        while after is not None:
            page = self._backend.page(filters, after, limit)
            yield from page.items
            after = page.next

    def installation(self, subject: str = "", *, installation_id: str = "") -> InstallationHandle:
        """Return the handle of a local account's installation. Nothing is looked up yet.

        Args:
            subject: the local account. Take it from your own session, never from a request.
            installation_id: the id of one installation, where you know it. With a subject, both
                must belong together. Without one, the installation of any subject is used.

        Raises:
            UsageError: neither is given.

        Example:
            jane = zoom.installation("acct_42")
            response = jane.get("/users/me")
        """
        return self._handle_class(lambda: self._backend, subject, installation_id)
