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
    name: str, *, title: str, description: str, remedy: str, severity: str, tags: Sequence[str]
) -> dict[str, Any]:
    """Build the entry of a rule; `severity` is critical, high, medium or low."""
    return {
        "id": name,
        "name": title,
        "shortDescription": {"text": title},
        "fullDescription": {"text": description},
        "help": {"text": remedy},
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


def sarif_text(tool: str, *, rules: list[dict[str, Any]], results: list[dict[str, Any]]) -> str:
    """Return a report with one run of one tool."""
    driver = {"name": tool, "rules": rules}
    runs = [{"tool": {"driver": driver}, "results": results}]
    return json_text({"$schema": _SCHEMA, "version": "2.1.0", "runs": runs})
