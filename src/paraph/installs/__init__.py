"""The install flow as a library, for products that keep their own sessions and tables.

`InstallFlow` starts an install at Zoom and verifies the response. Every refusal is an
`InstallRefused` with a page text and a status. The names are loaded on first use: the service
imports modules of this package and needs no more than those.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from paraph.extras import needs

if TYPE_CHECKING:
    from paraph.errors import ConfigurationError, InvalidGrant
    from paraph.installs.flow import InstallFlow
    from paraph.installs.refusals import (
        AuthorizationExpired,
        CodeRefused,
        ConsentDenied,
        InstallRefused,
        IssuerMismatch,
        OwnerUnknown,
        RequestIgnored,
        ResponseInvalid,
        ScopesMissing,
        SiteMisconfigured,
        StatelessCode,
        StateMismatch,
        StateStoreUnavailable,
        StateUsed,
        SubjectChanged,
        ZoomUnavailable,
    )
    from paraph.installs.result import InstallResult, Redirect, Tokens
    from paraph.values import Proof, ZoomPerson

__all__ = [
    "AuthorizationExpired",
    "CodeRefused",
    "ConfigurationError",
    "ConsentDenied",
    "InstallFlow",
    "InstallRefused",
    "InstallResult",
    "InvalidGrant",
    "IssuerMismatch",
    "OwnerUnknown",
    "Proof",
    "Redirect",
    "RequestIgnored",
    "ResponseInvalid",
    "ScopesMissing",
    "SiteMisconfigured",
    "StateMismatch",
    "StateStoreUnavailable",
    "StateUsed",
    "StatelessCode",
    "SubjectChanged",
    "Tokens",
    "ZoomPerson",
    "ZoomUnavailable",
]

_PLACES = {
    "ConfigurationError": "paraph.errors",
    "InstallFlow": "paraph.installs.flow",
    "InstallResult": "paraph.installs.result",
    "InvalidGrant": "paraph.errors",
    "Proof": "paraph.values",
    "Redirect": "paraph.installs.result",
    "Tokens": "paraph.installs.result",
    "ZoomPerson": "paraph.values",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'paraph.installs' has no attribute {name!r}")
    with needs("installs", f"paraph.installs.{name}"):
        return getattr(import_module(_PLACES.get(name, "paraph.installs.refusals")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
