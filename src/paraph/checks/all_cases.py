"""Registers all cases: importing this module imports the modules of every group."""

from __future__ import annotations

from paraph.checks.cases import (
    connections,
    deauthorization,
    disputed_removal,
    exposure,
    forwarding,
    identity,
    late_events,
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
    webhook_requests,
)
from paraph.checks.harness.case import CASES

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
    webhook_requests,
    url_validation,
    deauthorization,
    late_events,
    disputed_removal,
    platform,
    exposure,
    connections,
    forwarding,
)

__all__ = ["CASES", "GROUP_MODULES"]
