"""The refusals: each has a text for the person, and the status that the service responds with."""

from __future__ import annotations

import pytest

from paraph import errors, installs
from paraph.installs import InstallRefused


def refusals() -> list[type[InstallRefused]]:
    """Every public refusal."""
    found = [getattr(installs, name) for name in installs.__all__]
    return [one for one in found if isinstance(one, type) and issubclass(one, InstallRefused)]


@pytest.mark.parametrize("kind", refusals())
def test_a_refusal_is_not_a_server_error(kind: type[InstallRefused]) -> None:
    """No refusal has status 500 or 502, and each page text is made of whole sentences."""
    assert kind.status in {204, 303, 400, 403, 424, 503}
    assert kind.status == 204 or kind.page_text.endswith(".")
    assert kind.__doc__


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (installs.StateMismatch, errors.StateMismatch),
        (installs.AuthorizationExpired, errors.AuthorizationExpired),
        (installs.IssuerMismatch, errors.IssuerMismatch),
        (installs.ConsentDenied, errors.AuthorizationErrorResponse),
        (installs.CodeRefused, errors.InvalidGrant),
        (installs.ScopesMissing, errors.ScopesMissing),
        (installs.StateStoreUnavailable, errors.StorageError),
        (installs.SiteMisconfigured, errors.TokenErrorResponse),
        (installs.ZoomUnavailable, errors.PeerUnavailable),
    ],
)
def test_the_service_responds_alike(
    kind: type[InstallRefused], base: type[errors.ParaphError]
) -> None:
    """The status is that of the service for the same cause."""
    assert base.status == kind.status
    if kind not in {installs.SiteMisconfigured, installs.ZoomUnavailable}:
        assert issubclass(kind, base)
        assert base.code == kind.code or base is errors.StorageError
