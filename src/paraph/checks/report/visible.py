"""Runs and JSON whose texts can be written into any report.

Names come from a target file, reasons and evidence from the app under attack: a control character
in one of them breaks XML (XML 1.0 section 2.2) and is obeyed by terminals.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from paraph.checks.runner import Run
from paraph.checks.verdict import Finding
from paraph.visible_text import visible

# In JSON text these characters stand inside strings only.
_OUTSIDE_ASCII = re.compile(r"[^\x00-\x7e]")


def visible_run(run: Run) -> Run:
    """A run whose names, reasons and evidence can be written into any report."""
    return replace(
        run,
        target=visible(run.target),
        file=visible(run.file),
        findings=[visible_finding(one) for one in run.findings],
    )


def visible_finding(finding: Finding) -> Finding:
    """One case; evidence keeps its lines."""
    return replace(
        finding,
        reason=visible(finding.reason),
        evidence=[visible(one.replace("\r\n", "\n"), keep="\n\t") for one in finding.evidence],
    )


def json_text(content: Any) -> str:
    """JSON that reads well: letters of all scripts as they are, the rest as JSON's own escapes."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return _OUTSIDE_ASCII.sub(_json_escaped, text).replace("\x7f", "\\u007f") + "\n"


def _json_escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    if 0xD800 <= ord(character) < 0xE000:
        # Half a pair is no character; readers of JSON refuse it.
        return "\N{REPLACEMENT CHARACTER}"
    return json.dumps(character)[1:-1]
