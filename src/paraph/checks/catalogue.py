"""The descriptions of all cases, read from `catalogue/*.toml` with one file for each group."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
GROUPS = {
    "start": "Flow start",
    "redirection": "Redirection endpoint",
    "marketplace": "Installs from the Marketplace",
    "token": "Token endpoint and identity",
    "secrets": "Secrets at rest and in transit",
    "refresh": "Refresh and revocation",
    "webhook": "Webhook authenticity",
    "challenge": "URL validation",
    "deauthorization": "Deauthorization",
    "platform": "Sessions, headers, platform",
}
# Old names, which the command line accepts for one more version.
RENAMED_GROUPS = {"callback": "redirection"}


class Entry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The description of one case.

    Attributes:
        why: the damage if the case fails.
        advice: the id of the advice that says how to fix it.
    """

    id: str
    severity: Severity
    title: str
    attack: str
    expectation: str
    why: str
    standards: list[str]
    fix: str
    advice: str
    group: str = ""


@cache
def catalogue() -> dict[str, Entry]:
    """Return the descriptions by case id, in the order of the files."""
    found: dict[str, Entry] = {}
    for group in GROUPS:
        text = (files("paraph.checks") / "catalogue" / f"{group}.toml").read_bytes()
        content = msgspec.toml.decode(text, type=dict[str, list[Entry]])
        for entry in content["case"]:
            found[entry.id] = msgspec.structs.replace(entry, group=group)
    return found
