"""`InstallFlow`: a safe install for products that keep their own sessions and tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import EllipsisType

from paraph.errors import UsageError
from paraph.installs import steps
from paraph.installs.app import SecretText, check_app
from paraph.installs.browser import (
    Cookies,
    GivenHeaders,
    cookie_pairs,
    deleted,
    header_pairs,
    is_prefetch,
    kept,
    query_of,
)
from paraph.installs.drivers import Driver, HttpTransport, UseStateCallable
from paraph.installs.pending_authorization import LinkWish, begin, demand_wish_form
from paraph.installs.refusal_log import log_refusal
from paraph.installs.refusals import InstallRefused, RequestIgnored
from paraph.installs.result import InstallResult, Redirect, Tokens
from paraph.oauth.authorization_request import LIFETIME_SECONDS
from paraph.values import ZoomPerson


class InstallFlow:
    """Installs a Zoom app: starts at Zoom, verifies the response, and returns owner and tokens.

    It keeps nothing itself. The pending install stands in a sealed cookie of the browser; the used
    states stand in a table of the host's. One object serves all threads, tasks and processes.

    Args:
        client_id: the app's client id.
        client_secret: the app's client secret, or a list with the newest first. Older ones are
            used while Zoom refuses the newer ones.
        redirect_uri: the exact redirect URI, as in the app's allow list at Zoom.
        sealing_key: a key as `paraph keys new` prints it, or a list with the newest first. The
            first one seals cookies and all of them open cookies.
        use_state: the host's one-use store, `use_state(state_hash, expires_at) -> bool`. It adds a
            row with this hash (64 hexadecimal digits), commits it, and returns True; it returns
            False if the row exists. `expires_at` is in epoch seconds. For `afinish` it may be
            asynchronous.
        required_scopes: the scopes without which the install is refused.
        start_url: the URL, or path, at which a person starts an install. A code without state is
            dropped, and the browser is sent there.
        authorization_server: Zoom's, or the URL of a simulated one.
        api_servers: the origins of Zoom's API; by default those of the authorization server.
        outgoing_proxy: the URL of an HTTP proxy. Proxies of the environment are never used.
        ca_file: a PEM file of additional certificate authorities.
        timeout: seconds for one request to Zoom, from connecting to the last byte.
        clock: returns the time in epoch seconds.
        transport: an httpx transport to use in place of the network, for tests.

    Raises:
        ConfigurationError: an argument is missing, weak or wrong. It names every problem.

    Example:
        flow = InstallFlow(
            client_id="MbK0lSJlRLmjSpCCOlFoXQ",
            client_secret=client_secret,
            redirect_uri="https://app.example/zoom/callback",
            sealing_key=sealing_key,
            required_scopes=["user:read:user"],
            use_state=use_state,
        )
    """

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: SecretText | Sequence[SecretText],
        redirect_uri: str,
        sealing_key: SecretText | Sequence[SecretText],
        use_state: UseStateCallable,
        required_scopes: Sequence[str] = (),
        start_url: str = "/",
        authorization_server: str = "https://zoom.us",
        api_servers: Sequence[str] = (),
        outgoing_proxy: str = "",
        ca_file: str = "",
        timeout: float = 6.0,
        clock: Callable[[], float] = time.time,
        transport: HttpTransport = None,
    ) -> None:
        self._app = check_app(
            client_id=client_id,
            client_secret=client_secret,
            redirect_uri=redirect_uri,
            sealing_key=sealing_key,
            use_state=use_state,
            required_scopes=required_scopes,
            start_url=start_url,
            authorization_server=authorization_server,
            api_servers=api_servers,
            outgoing_proxy=outgoing_proxy,
            ca_file=ca_file,
            timeout=timeout,
            clock=clock,
        )
        self._driver = Driver(self._app, use_state, transport)

    def start(self, subject: str = "", *, return_to: str = "", cookies: Cookies = None) -> Redirect:
        """Start an install in the browser that will finish it (RFC 6749 section 4.1.1).

        Call it for a request that the signed-in person made: a POST with the host's CSRF token, or
        a page that no other site can open. Nothing is stored and nothing is sent to Zoom.

        Args:
            subject: the local account of the signed-in person, at most 255 printable characters;
                "" if Zoom is the only sign-in.
            return_to: an identifier of the host's own, for example of a page: letters, digits,
                `_.~-`, at most 200. It is never a URL.
            cookies: the browser's cookies, to delete all but the newest four flows.

        Returns:
            The redirect; send it with status 303 and all of its `headers`.

        Raises:
            UsageError: an argument does not have its form.

        Example:
            redirect = flow.start(subject="acct_42")
            print(303, redirect.headers)
        """
        if type(subject) is not str:
            # None from a sign-in that was not checked would later equal the None of any visitor.
            raise UsageError(
                f"the subject is a {type(subject).__name__}, not a text",
                remedy="Check the sign-in, then pass the id as a str, like str(user.id).",
            )
        demand_wish_form(subject or "-", return_to)
        started = begin(
            self._app, wish=LinkWish(subject, "", return_to), cookies=cookie_pairs(cookies)
        )
        own = kept(started.cookie_name, started.cookie_value, max_age=LIFETIME_SECONDS)
        return Redirect(started.url, own, tuple(map(deleted, started.dropped_cookies)))

    def finish(
        self,
        url: str | bytes,
        cookies: Cookies,
        *,
        subject: str | EllipsisType | None = ...,
        method: str = "GET",
        headers: GivenHeaders = None,
    ) -> InstallResult:
        """Verify an authorization response, exchange its code, and read the owner.

        The order is fixed: first the shape of the query, this browser's cookie, `state`, age and
        issuer. Then come `use_state`, the exchange, `GET /v2/users/me`, and the scopes. Before
        `use_state` nothing is stored and nothing is sent, so random requests cost almost nothing.

        Args:
            url: the URL of the request, or its path with the query.
            cookies: the `Cookie` header, a mapping, or pairs. Prefer the header: a mapping hides
                a second cookie of the same name.
            subject: the local account that is signed in now, None if no account is. The install is
                refused if it differs from that of `start`. Left out, the host compares
                `result.subject` itself.
            method: the method of the request. Only GET is acted on.
            headers: the headers of the request: a prefetch, as link scanners send it, is ignored.

        Raises:
            InstallRefused: the response is refused; each reason has its own class, with
                `page_text`, `status`, and `set_cookie`.
            UsageError: an argument has the wrong type, or `use_state` is asynchronous.

        Example:
            try:
                result = flow.finish(request.url, request.headers.get("cookie"), subject="acct_42")
            except InstallRefused as refused:
                print(refused.status, refused.page_text, refused.headers)
            else:
                print(result.user_id, result.account_id, result.tokens.expires_at)
        """
        with _logged():
            return self._driver.run(self._finish(url, cookies, subject, (method, headers)))

    async def afinish(
        self,
        url: str | bytes,
        cookies: Cookies,
        *,
        subject: str | EllipsisType | None = ...,
        method: str = "GET",
        headers: GivenHeaders = None,
    ) -> InstallResult:
        """Verify an authorization response, as `finish` does, without blocking the event loop.

        A synchronous `use_state` runs in a thread. Do not cancel this call: Zoom may have issued
        tokens, and they would be lost.

        Args:
            url: as in `finish`.
            cookies: as in `finish`.
            subject: as in `finish`.
            method: as in `finish`.
            headers: as in `finish`.

        Raises:
            InstallRefused: as in `finish`.
            UsageError: an argument has the wrong type.

        Example:
            result = await flow.afinish(str(request.url), request.headers.get("cookie"))
        """
        with _logged():
            return await self._driver.arun(self._finish(url, cookies, subject, (method, headers)))

    def _finish(
        self,
        url: str | bytes,
        cookies: Cookies,
        subject: str | EllipsisType | None,
        request: tuple[str, GivenHeaders],
    ) -> steps.Steps[InstallResult]:
        method, headers = request
        if method != "GET" or is_prefetch(header_pairs(headers)):
            raise RequestIgnored("no person opened this URL: it is a prefetch, or not a GET")
        if isinstance(subject, EllipsisType):
            signed = steps.Signed()
        else:
            signed = steps.Signed(subject, is_known=True)
        return steps.finish(self._app, query_of(url), cookie_pairs(cookies), signed)

    def refresh(self, refresh_token: str) -> Tokens:
        """Use up a refresh token for new tokens: each works once, so refresh under a lock.

        Zoom replaces the refresh token with every refresh. Store the new tokens before anything
        else, and let no two processes refresh the same tokens: the second one ends the grant.

        Args:
            refresh_token: the newest refresh token of this Zoom user.

        Returns:
            The new tokens. `scopes` is empty if Zoom names none: the earlier ones still apply.

        Raises:
            InvalidGrant: the refresh token is used or the grant has ended. If another process has
                not stored newer tokens, the person has to install the app again.
            TokenErrorResponse: Zoom refused for another reason, such as a wrong client secret.
            PeerUnavailable, TransportError: Zoom failed or did not respond. The old token may work.
            MessageMalformed: the response cannot be used.

        Example:
            try:
                tokens = flow.refresh(stored.refresh_token)
            except InvalidGrant:
                print("install again")
        """
        return self._driver.run(steps.refresh(self._app, refresh_token))

    async def arefresh(self, refresh_token: str) -> Tokens:
        """Use up a refresh token for new tokens: each works once, so refresh under a lock.

        As `refresh`, without blocking the event loop. Do not cancel this call: Zoom may have
        replaced the refresh token, and the new one would be lost.

        Args:
            refresh_token: the newest refresh token of this Zoom user.

        Raises:
            InvalidGrant, TokenErrorResponse, PeerUnavailable, TransportError, MessageMalformed: as
                for `refresh`.

        Example:
            tokens = await flow.arefresh(stored.refresh_token)
        """
        return await self._driver.arun(steps.refresh(self._app, refresh_token))

    def revoke(self, token: str) -> None:
        """Revoke a token, and with it the grant of this Zoom user (RFC 7009).

        A token that Zoom does not know any more counts as revoked.

        Args:
            token: the access token or the refresh token.

        Raises:
            TokenErrorResponse: Zoom refused, for example because of a wrong client secret.
            PeerUnavailable, TransportError, MessageMalformed: Zoom failed or did not respond.

        Example:
            flow.revoke(stored.access_token)
        """
        self._driver.run(steps.revoke(self._app, token))

    async def arevoke(self, token: str) -> None:
        """Revoke a token, as `revoke` does, without blocking the event loop.

        Args:
            token: the access token or the refresh token.

        Raises:
            TokenErrorResponse, PeerUnavailable, TransportError, MessageMalformed: as for `revoke`.

        Example:
            await flow.arevoke(stored.access_token)
        """
        await self._driver.arun(steps.revoke(self._app, token))

    def owner_of(self, tokens: Tokens) -> ZoomPerson:
        """Read the Zoom user that tokens belong to, after `OwnerUnknown`.

        Args:
            tokens: the tokens; they are sent to an allowed host only.

        Raises:
            ResourceErrorResponse, PeerUnavailable, TransportError, MessageMalformed: Zoom refused,
                failed or did not respond.

        Example:
            owner = flow.owner_of(refused.tokens)
        """
        return self._driver.run(steps.owner_of(self._app, tokens))

    async def aowner_of(self, tokens: Tokens) -> ZoomPerson:
        """Read the owner of tokens, as `owner_of` does, without blocking the event loop.

        Args:
            tokens: the tokens.

        Raises:
            ResourceErrorResponse, PeerUnavailable, TransportError, MessageMalformed: as for
                `owner_of`.

        Example:
            owner = await flow.aowner_of(refused.tokens)
        """
        return await self._driver.arun(steps.owner_of(self._app, tokens))


@contextmanager
def _logged() -> Iterator[None]:
    """Log the cause of a refusal."""
    try:
        yield
    except InstallRefused as refused:
        log_refusal(refused)
        raise
