"""The report as one self-contained HTML page."""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from paraph.checks.advice import incidents
from paraph.checks.catalogue import GROUPS, catalogue
from paraph.checks.report.order import VERDICTS, changes, fixes, reasons, severities, worst_first
from paraph.checks.report.visible import visible_run
from paraph.checks.runner import Run
from paraph.checks.self_test import released_sentence
from paraph.checks.verdict import Finding, Verdict

_CODE = re.compile(r"`([^`]+)`")
_LETTERS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_APPLICABLE: "-",
}


def to_html(run: Run) -> str:
    """Render a run as an HTML page: the fixes, the failures, then every case by group."""
    run = visible_run(run)
    environment = Environment(
        loader=PackageLoader("paraph.checks.report", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = _marked
    groups = [
        (name, title, [one for one in run.findings if one.group == name])
        for name, title in GROUPS.items()
    ]
    groups = [one for one in groups if one[2]]
    failed = worst_first(one for one in run.findings if one.verdict is Verdict.FAIL)
    style = (files("paraph.checks.report") / "templates" / "report.css").read_text("utf-8")
    return environment.get_template("report.html").render(
        run=run,
        style=style,
        groups=groups,
        sorted_groups=[(name, title, worst_first(found)) for name, title, found in groups],
        untested=[
            *reasons(run, Verdict.INCONCLUSIVE),
            *reasons(run, Verdict.NOT_APPLICABLE),
        ],
        verdicts=VERDICTS,
        letters=_LETTERS,
        summary=run.summary(),
        worst=failed,
        fixes=fixes(run),
        changes=changes(run),
        entries=catalogue(),
        incidents=incidents(),
        severities=severities(failed),
        counts={name: _counts(findings) for name, _, findings in groups},
        kill_line=released_sentence(),
    )


def _marked(text: str) -> Markup:
    """Convert text between backticks to code elements."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - Escaped before.


def _counts(findings: list[Finding]) -> str:
    counts = Counter(one.verdict for one in findings)
    found = [f"{counts[one]} {one.value.replace('-', ' ')}" for one in Verdict if counts[one]]
    return " · ".join(found)
