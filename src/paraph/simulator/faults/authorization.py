"""Faults of the authorization endpoint: the response at the app's redirect URI is wrong."""

from __future__ import annotations

from paraph.simulator.response import AuthorizationResponse
from paraph.simulator.state.fault_registry import check, fault

check("code_of_another", "The code belongs to a user who did not consent.")
check("second_redirect_refused", "Only the first redirect URI of an app is accepted.")
check("consent_skipped", "A signed-in user sees no consent page; the code is returned at once.")


@fault("authorization")
def state_dropped(response: AuthorizationResponse) -> None:
    """The redirect leaves out the state, as the Marketplace's own links do."""
    response.drop("state")


@fault("authorization")
def state_altered(response: AuthorizationResponse) -> None:
    """The state is returned with its last character changed."""
    state = response.value("state")
    if state:
        response.put("state", state[:-1] + ("A" if state[-1] != "A" else "B"))


@fault("authorization")
def state_emptied(response: AuthorizationResponse) -> None:
    """The state is returned empty."""
    response.put("state", "")


@fault("authorization")
def state_doubled(response: AuthorizationResponse, *, second: str = "forged") -> None:
    """The state appears twice: as sent, then `second`."""
    response.parameters.append(("state", second))


@fault("authorization")
def code_dropped(response: AuthorizationResponse) -> None:
    """The redirect leaves out the code."""
    response.drop("code")


@fault("authorization")
def code_emptied(response: AuthorizationResponse) -> None:
    """The code is empty."""
    response.put("code", "")


@fault("authorization")
def code_doubled(response: AuthorizationResponse, *, second: str = "forged") -> None:
    """The code appears twice: the real one, then `second`."""
    response.parameters.append(("code", second))


@fault("authorization")
def code_unknown(
    response: AuthorizationResponse, *, value: str = "never-issued-by-anybody"
) -> None:
    """The code is `value`, which is unknown to the token endpoint."""
    response.put("code", value)


@fault("authorization")
def code_long(response: AuthorizationResponse, *, length: int = 6000) -> None:
    """The code is followed by `length` more characters."""
    response.put("code", (response.value("code") or "") + "x" * min(length, 1 << 20))


@fault("authorization")
def iss_added(response: AuthorizationResponse, *, issuer: str = "https://zoom.us") -> None:
    """The redirect names the issuer (RFC 9207), which Zoom does not do."""
    response.put("iss", issuer)


@fault("authorization")
def iss_wrong(response: AuthorizationResponse, *, issuer: str = "https://evil.example") -> None:
    """The redirect names another issuer."""
    response.put("iss", issuer)


@fault("authorization")
def error_instead(response: AuthorizationResponse, *, error: str = "server_error") -> None:
    """The redirect has `error` and no code."""
    response.drop("code")
    response.put("error", error)


@fault("authorization")
def error_beside_code(response: AuthorizationResponse, *, error: str = "access_denied") -> None:
    """The redirect has `error` beside a good code."""
    response.put("error", error)


@fault("authorization")
def error_markup(response: AuthorizationResponse) -> None:
    """The redirect has an error whose description and page are script."""
    response.drop("code")
    response.put("error", '"><img src=x onerror=alert(1)>')
    response.put("error_description", "<script>alert(1)</script>")
    response.put("error_uri", "javascript:alert(1)")


@fault("authorization")
def token_in_front(response: AuthorizationResponse) -> None:
    """The redirect has an access token in query and fragment, as the implicit grant would."""
    response.put("access_token", "handed-in-through-the-front-channel")
    response.put("token_type", "bearer")
    response.fragment = "access_token=handed-in-through-the-front-channel&token_type=bearer"


@fault("authorization")
def parameters_added(response: AuthorizationResponse) -> None:
    """The redirect has unknown parameters; apps must ignore them."""
    response.parameters += [("foo", "bar"), ("zoom_session", "1")]


@fault("authorization")
def fragment_added(response: AuthorizationResponse) -> None:
    """The redirect ends with a fragment."""
    response.fragment = "_=_"


@fault("authorization")
def redirect_to_primary(response: AuthorizationResponse) -> None:
    """The browser is sent to the app's first redirect URI instead of the requested one."""
    response.uri = response.primary_uri or response.uri
