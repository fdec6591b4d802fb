"""Makes runs safe to write into any report.

Names come from a target file, reasons and evidence from the app under attack. A control character
in one of them breaks XML (XML 1.0 section 2.2), and terminals execute it.
"""

from __future__ import annotations

from dataclasses import replace

from paraph.checks.runner import Run
from paraph.checks.verdict import Finding
from paraph.visible_text import visible


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
