"""The report as one self-contained page that a reviewer reads from top to bottom."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from paraph.checks.catalogue import GROUPS, SEVERITIES, catalogue
from paraph.checks.judged import in_words
from paraph.checks.runner import Run
from paraph.checks.verdict import Finding, Verdict

_CELL, _GAP, _LABEL = 13, 3, 190
_LETTERS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_APPLICABLE: "-",
}


def to_html(run: Run) -> str:
    """The page."""
    environment = Environment(
        loader=PackageLoader("paraph.checks.report", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    groups = [
        (name, title, [one for one in run.findings if one.group == name])
        for name, title in GROUPS.items()
    ]
    groups = [one for one in groups if one[2]]
    style = (files("paraph.checks.report") / "templates" / "report.css").read_text("utf-8")
    return environment.get_template("report.html").render(
        run=run,
        style=style,
        groups=groups,
        verdicts=list(Verdict),
        letters=_LETTERS,
        summary=run.summary(),
        worst=_worst(run.findings),
        entries=catalogue(),
        cells=[_row(index, one[1], one[2]) for index, one in enumerate(groups)],
        width=_LABEL + 24 * (_CELL + _GAP),
        height=sum(_height(one[2]) for one in groups) + 4,
        kill_line=in_words(),
    )


def _worst(findings: list[Finding]) -> list[Finding]:
    failed = [one for one in findings if one.verdict is Verdict.FAIL]
    return sorted(failed, key=lambda one: SEVERITIES.index(one.severity))


def _height(findings: list[Finding]) -> int:
    return -(-len(findings) // 24) * (_CELL + _GAP) + 8


def _row(index: int, title: str, findings: list[Finding]) -> dict[str, object]:
    """The picture's cells of one group, 24 in a line."""
    return {
        "index": index,
        "title": title,
        "height": _height(findings),
        "cells": [
            {
                "x": _LABEL + (number % 24) * (_CELL + _GAP),
                "y": number // 24 * (_CELL + _GAP),
                "finding": one,
                "letter": _LETTERS[one.verdict],
            }
            for number, one in enumerate(findings)
        ],
    }
