r"""Text that others have a say in, so that no report and no terminal obeys it.

Names come from a target file, reasons and evidence from the app under attack. A control character
moves a terminal's cursor, breaks XML (XML 1.0 section 2.2) or turns a line around; half a surrogate
pair cannot be written at all. Each of them is shown as an escape such as `\x1b`.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from paraph.checks.runner import Run
from paraph.checks.verdict import Finding

# In JSON text: outside of strings there are none but line ends, which str.isprintable excludes.
_OUTSIDE_ASCII = re.compile(r"[^\x00-\x7e]")


def visible(text: str, *, keep: str = "") -> str:
    """The text with every character escaped that does not print; `keep` names exceptions."""
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


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


def _escaped(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    if 0xD800 <= ord(character) < 0xE000:
        # Half a pair is no character; readers of JSON refuse it.
        return "\N{REPLACEMENT CHARACTER}"
    return json.dumps(character)[1:-1]
