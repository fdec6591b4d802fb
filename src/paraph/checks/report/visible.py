"""Makes runs and JSON safe to write into any report.

Names come from a target file, reasons and evidence from the app under attack. A control character
in one of them breaks XML (XML 1.0 section 2.2), and terminals execute it.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from paraph.checks.runner import Run
from paraph.checks.verdict import Finding
from paraph.visible_text import visible

# In JSON these characters can only occur inside strings.
_OUTSIDE_ASCII = re.compile(r"[^\x00-\x7e]")


def visible_run(run: Run) -> Run:
    """Return a run whose names, reasons and evidence are safe in every report."""
    return replace(
        run,
        target=visible(run.target),
        file=visible(run.file),
        since=visible(run.since),
        notes=[visible(one) for one in run.notes],
        findings=[visible_finding(one) for one in run.findings],
    )


def visible_finding(finding: Finding) -> Finding:
    """Return a finding that is safe in every report; its evidence keeps its line breaks."""
    return replace(
        finding,
        reason=visible(finding.reason),
        known_reason=visible(finding.known_reason),
        evidence=[visible(one.replace("\r\n", "\n"), keep="\n\t") for one in finding.evidence],
    )


def json_text(content: Any) -> str:
    """Serialize readably: letters of all scripts unchanged, other characters as JSON escapes."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return _OUTSIDE_ASCII.sub(_json_escaped, text).replace("\x7f", "\\u007f") + "\n"


def _json_escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    if 0xD800 <= ord(character) < 0xE000:
        # A lone surrogate is no character, and JSON parsers refuse it.
        return "\N{REPLACEMENT CHARACTER}"
    return json.dumps(character)[1:-1]
