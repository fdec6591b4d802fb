"""SARIF reports: rules and results of a tool, for code-scanning pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from paraph.visible_text import json_text

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
# Code-scanning pages sort by this scale.
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "3.0"}


def sarif_rule(
    name: str,
    *,
    title: str,
    description: str,
    remedy: str,
    severity: str,
    tags: Sequence[str],
    markdown: str = "",
) -> dict[str, Any]:
    """Build the entry of a rule.

    Args:
        name: the id of the rule.
        title: one line.
        description: the mistake.
        remedy: the fix as plain text.
        severity: critical, high, medium or low.
        tags: further words to search for.
        markdown: the fix for pages that show Markdown; "" if there is only plain text.
    """
    shown = {"markdown": markdown} if markdown else {}
    return {
        "id": name,
        "name": title,
        "shortDescription": {"text": title},
        "fullDescription": {"text": description},
        "help": {"text": remedy, **shown},
        "defaultConfiguration": {"level": LEVELS[severity]},
        "properties": {"security-severity": _SCORES[severity], "tags": ["security", *tags]},
    }


def sarif_place(file: str, *, inside: str) -> list[dict[str, Any]]:
    """Build the location of a result that has no line of code: a file, and a name inside it."""
    return [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": quote(file, errors="replace") or "target"},
                "region": {"startLine": 1},
            },
            "logicalLocations": [{"fullyQualifiedName": inside}],
        }
    ]


def sarif_text(
    tool: str,
    *,
    rules: list[dict[str, Any]],
    results: list[dict[str, Any]],
    invocations: Sequence[dict[str, Any]] = (),
) -> str:
    """Return a report with one run of one tool, and what the tool says about the run itself."""
    driver = {"name": tool, "rules": rules}
    run = {"tool": {"driver": driver}, "results": results}
    runs = [{**run, "invocations": list(invocations)} if invocations else run]
    return json_text({"$schema": _SCHEMA, "version": "2.1.0", "runs": runs})
