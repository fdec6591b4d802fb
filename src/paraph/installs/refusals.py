"""The exceptions of an install: each has a page text for the person and an HTTP status.

    InstallRefused
    ├── RequestIgnored           No person opened the URL: a prefetch, or another method than GET.
    ├── StatelessCode            A code without `state`, as the Marketplace sends it.
    ├── ResponseInvalid          The query is not an authorization response.
    ├── StateMismatch            This browser did not start the install.
    ├── AuthorizationExpired     It started more than ten minutes ago.
    ├── IssuerMismatch           Another authorization server answered.
    ├── SubjectChanged           Another local account is signed in than at the start.
    ├── StateUsed                The response was used before.
    ├── StateStoreUnavailable    `use_state` failed. Nothing was exchanged.
    ├── ConsentDenied            The person refused at Zoom.
    ├── CodeRefused              Zoom refused the code.
    ├── ScopesMissing            A required scope was not granted. It holds the tokens.
    ├── OwnerUnknown             Zoom did not name the owner. It holds the tokens.
    ├── ZoomUnavailable          Zoom failed, or sent no usable response.
    └── SiteMisconfigured        The settings of the app are wrong. Starting again does not help.

A class that shares its name, or its meaning, with one of `paraph.errors` inherits from that one.
Every response that fails before the state is used up has the same status and the same text, unless
this browser started the install.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from paraph import errors
from paraph.installs.result import Headers, Tokens, response_headers

_NOT_STARTED_HERE = (
    "This page was not reached from an installation that started in this browser. "
    "Start the installation again, and finish it in the same browser."
)


class InstallRefused(errors.ParaphError):
    """The base class of every refusal of `InstallFlow.finish`.

    Attributes:
        status: the HTTP status code of the response.
        page_text: plain text for the person. Escape it, as any text, in HTML.
        remedy: the next step, for the developer.
        set_cookie: the value of a `Set-Cookie` header that deletes the cookie of the flow; None if
            the browser keeps it.
        location: the URL of a redirect; "" for a page.

    Example:
        try:
            result = flow.finish(url, cookies)
        except InstallRefused as refused:
            print(refused.status, refused.page_text, refused.headers)
    """

    code = "install_refused"
    status: int = 400
    page_text: ClassVar[str] = _NOT_STARTED_HERE
    default_remedy = "Show `page_text` with `status`; the log has the cause at level DEBUG."
    location: str = ""

    def __init__(
        self, detail: str = "", *, remedy: str = "", set_cookie: str | None = None
    ) -> None:
        # The classes of `paraph.errors` beside it take other arguments.
        errors.ParaphError.__init__(self, detail, remedy=remedy)
        self.set_cookie = set_cookie

    @property
    def headers(self) -> Headers:
        """The headers of the response, as pairs: `Location` and `Set-Cookie` are among them."""
        return response_headers(self.set_cookie, location=self.location)

    @property
    def detail(self) -> str:
        """The cause, for developers. It never holds a secret."""
        return self._detail or self.page_text


class RequestIgnored(InstallRefused):
    """No person opened the URL: a prefetch, a link scanner, or another method than GET.

    Nothing is used up. The person's own request works afterwards.

    Example:
        >>> RequestIgnored().status
        204
    """

    code = "request_ignored"
    status = 204
    page_text = ""
    default_remedy = "Send an empty response with this status."


class StatelessCode(InstallRefused, errors.AuthorizationResponseInvalid):
    """The response has no `state`: the install did not start in the app.

    Zoom sends one after an install from the Marketplace. The code is not used. Redirect the browser
    to `location`, a URL without the code, where an install starts that can be verified.

    Example:
        >>> refused = StatelessCode("/zoom/connect")
        >>> refused.status, refused.headers[0]
        (303, ('Location', '/zoom/connect'))
    """

    code = "stateless_code"
    status = 303
    default_remedy = "Redirect to `location`, which starts a new install; the code is not used."

    def __init__(self, location: str) -> None:
        super().__init__("the response has no state: the install did not start in the app")
        self.location = location


class ResponseInvalid(InstallRefused, errors.AuthorizationResponseInvalid):
    """The query is not an authorization response (RFC 6749 sections 3.1 and 4.1.2).

    Example:
        >>> ResponseInvalid().status
        400
    """

    code = "authorization_response_invalid"


class StateMismatch(InstallRefused, errors.StateMismatch):
    """The browser does not hold the cookie of this state (RFC 6749 section 10.12).

    Attributes:
        reason: for logs: `no_cookie`, `other_cookies`, `doubled_cookie`, `forged_cookie`, or
            `state_mismatch`.

    Example:
        >>> refused = StateMismatch("the browser sent no cookie of this flow", reason="no_cookie")
        >>> refused.status, refused.reason
        (400, 'no_cookie')
    """

    code = "state_mismatch"

    def __init__(self, detail: str = "", *, reason: str = "") -> None:
        super().__init__(detail)
        self.reason = reason or self.code


class AuthorizationExpired(InstallRefused, errors.AuthorizationExpired):
    """The install started more than ten minutes ago.

    Example:
        >>> AuthorizationExpired().status
        400
    """

    code = "authorization_expired"
    page_text = "This installation took longer than ten minutes. Start it again."


class IssuerMismatch(InstallRefused, errors.IssuerMismatch):
    """Another authorization server answered (RFC 9207 section 2.4).

    Example:
        >>> IssuerMismatch().status
        400
    """

    code = "issuer_mismatch"


class SubjectChanged(InstallRefused):
    """The signed-in account is not the one that started the install.

    Example:
        >>> SubjectChanged().status
        403
    """

    code = "subject_changed"
    status = 403
    page_text = (
        "You are signed in with another account than the one that started this installation. "
        "Start the installation again with this account."
    )


class StateUsed(InstallRefused, errors.Conflict):
    """The response was used before: a reload, a second click or a replay.

    Example:
        >>> StateUsed().status
        400
    """

    code = "state_used"
    page_text = (
        "This response of Zoom was used before, and it counts once. If Zoom is connected, nothing "
        "is left to do. Otherwise start the installation again."
    )


class StateStoreUnavailable(InstallRefused, errors.StorageError):
    """`use_state` raised an error, took too long, or returned something other than a bool.

    Nothing was sent to Zoom and nothing is retried. The state may be unused: the browser keeps its
    cookie, and the person may reload the page.

    Example:
        >>> StateStoreUnavailable().status
        503
    """

    code = "state_store_unavailable"
    status = 503
    page_text = "The installation cannot be stored at the moment. Reload this page in a minute."
    default_remedy = "Look at the error of use_state; it must return True or False."


class ConsentDenied(InstallRefused, errors.AuthorizationErrorResponse):
    """Zoom sent an error response, usually because the person refused (RFC 6749 section 4.1.2.1).

    Attributes:
        error: a registered error code such as `access_denied`, or "unknown".

    Example:
        >>> refused = ConsentDenied("access_denied")
        >>> refused.status, refused.error
        (403, 'access_denied')
    """

    code = "authorization_error"
    status = 403
    page_text = (
        "Zoom did not grant the installation, so nothing was connected. "
        "Start again if this was not intended."
    )

    def __init__(self, error: str, *, set_cookie: str | None = None) -> None:
        super().__init__(f"the authorization server answered {error}", set_cookie=set_cookie)
        self.error = error


class CodeRefused(InstallRefused, errors.InvalidGrant):
    """Zoom refused the code: it is unknown, expired, used, or belongs to another request.

    Example:
        >>> CodeRefused().status
        400
    """

    code = "invalid_grant"
    page_text = "Zoom did not accept this installation. Start it again."

    def __init__(self, detail: str = "", *, set_cookie: str | None = None) -> None:
        super().__init__(detail, set_cookie=set_cookie)
        self.error = "invalid_grant"


class ScopesMissing(InstallRefused, errors.ScopesMissing):
    """Zoom did not grant every required scope (RFC 6749 section 3.3).

    The tokens work, and they have replaced older ones of the same Zoom user. If an installation of
    that user is stored, replace its tokens by these. If not, revoke them.

    Attributes:
        missing, granted: names of scopes.
        user_id, account_id: the owner of the tokens.
        tokens: the new tokens.

    Example:
        try:
            result = flow.finish(url, cookies)
        except ScopesMissing as refused:
            if not replace_tokens(refused.account_id, refused.user_id, refused.tokens):
                flow.revoke(refused.tokens.access_token)
    """

    code = "scopes_missing"
    status = 403
    page_text = (
        "Zoom did not grant every permission that the app needs. Start again and leave every "
        "permission selected. If Zoom does not offer them, ask your Zoom administrator."
    )
    default_remedy = "Keep `tokens` if this Zoom user has an installation; otherwise revoke them."

    def __init__(
        self,
        missing: Sequence[str],
        *,
        granted: Sequence[str],
        owner: tuple[str, str],
        tokens: Tokens,
        set_cookie: str | None = None,
    ) -> None:
        super().__init__("not granted: " + ", ".join(missing), set_cookie=set_cookie)
        self.missing = tuple(missing)
        self.granted = tuple(granted)
        self.account_id, self.user_id = owner
        self.tokens = tokens


class OwnerUnknown(InstallRefused, errors.PeerError):
    """Zoom issued tokens and did not name their owner.

    The tokens work, and they have replaced older ones of the same Zoom user. Store them encrypted
    and call `InstallFlow.owner_of` later.

    Attributes:
        tokens: the new tokens.

    Example:
        owner = flow.owner_of(refused.tokens)
        print(owner.user_id, owner.account_id)
    """

    code = "owner_unknown"
    status = 424
    page_text = "Zoom cannot complete the installation at the moment. Start again in a few minutes."
    default_remedy = "Store `tokens` encrypted, and call owner_of(tokens) until Zoom answers."

    def __init__(self, detail: str, *, tokens: Tokens, set_cookie: str | None = None) -> None:
        super().__init__(detail, set_cookie=set_cookie)
        self.tokens = tokens


class ZoomUnavailable(InstallRefused, errors.PeerError):
    """Zoom failed, could not be reached, or sent a response that cannot be used.

    Example:
        >>> ZoomUnavailable().status
        503
    """

    code = "zoom_unavailable"
    status = 503
    page_text = "Zoom cannot answer at the moment. Start again in a few minutes."


class SiteMisconfigured(InstallRefused, errors.PeerError):
    """Zoom refused the app itself, or its settings prevent every connection.

    The usual causes are a wrong client secret and a redirect URI that is not in the allow list.

    Example:
        >>> "Starting again does not help." in SiteMisconfigured().page_text
        True
    """

    code = "site_misconfigured"
    status = 424
    page_text = (
        "This site's connection to Zoom is not set up correctly. Starting again does not help. "
        "Contact the site's support."
    )
    default_remedy = (
        "Compare client_id, client_secret and redirect_uri with the app's page at Zoom."
    )
