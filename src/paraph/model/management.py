"""The records of the management API: its keys, its kept responses, and the audit chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of the management API: only the hash of its secret part is stored."""

    key_id: str
    secret_hash: bytes
    label: str
    scopes: frozenset[str]
    subject_prefix: str
    created_at: int
    revoked_at: int | None = None
    last_used_at: int | None = None


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """The response to a request with an idempotency key; without a status it is in progress."""

    request_hash: bytes
    status: int | None
    body: bytes | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One link of the audit chain: `digest` covers this entry and `previous`."""

    sequence: int
    at: int
    action: str
    details: Mapping[str, str]
    previous: bytes
    digest: bytes
