"""All cases: importing this registers every group."""

from __future__ import annotations

from paraph.checks import (
    deauthorization,
    exposure,
    identity,
    marketplace,
    platform,
    redirection_endpoint,
    redirection_input,
    refresh,
    secrets_at_rest,
    start,
    token_endpoint,
    url_validation,
    webhook,
    webhook_load,
)
from paraph.checks.trial import CASES

GROUP_MODULES = (
    start,
    redirection_endpoint,
    redirection_input,
    marketplace,
    token_endpoint,
    identity,
    secrets_at_rest,
    refresh,
    webhook,
    webhook_load,
    url_validation,
    deauthorization,
    platform,
    exposure,
)

__all__ = ["CASES", "GROUP_MODULES"]
