"""Names, reasons and evidence from outside cannot break a report or move a cursor."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.checks.catalogue import catalogue
from paraph.checks.report.document import document, to_json
from paraph.checks.report.machines import to_junit, to_sarif
from paraph.checks.report.page import to_html
from paraph.checks.report.terminal import line_of, to_text
from paraph.checks.runner import Run
from paraph.checks.verdict import Finding, Verdict
from paraph.visible_text import visible

HOSTILE = "a\x00b\x1b[2Jc\x07\x08\r\nd\x7f\x85\x9b\u2028\u202e\ufffe\uffff\ud800<&\">']]>\U000e0001"
WRITERS: dict[str, Callable[[Run], str]] = {
    "text": to_text,
    "json": lambda run: to_json(document(run)),
    "html": to_html,
    "sarif": to_sarif,
    "junit": to_junit,
}
# Terminals, XML parsers and readers obey these; line ends and tabs are the report's own.
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff\ufffe\uffff]")


def run_with(text: str) -> Run:
    """A run with every verdict, and a text wherever the app or the target file supplies one."""
    run = Run(f"target {text}", "2026-01-01T00:00:00Z", file=f"folder/{text}.toml")
    for entry, verdict in zip(catalogue().values(), [*Verdict] * 2, strict=False):
        finding = Finding(entry.id, entry.group, entry.severity, verdict, f"because {text}")
        finding.evidence = [f"GET /{text}\n\n→ 200\n{text}"]
        run.findings.append(finding)
    return run


@pytest.mark.parametrize("form", WRITERS)
def test_nothing_in_a_report_is_obeyed(form: str, tmp_path: Path) -> None:
    """A report contains no control character, no surrogate and no mark of direction."""
    written = WRITERS[form](run_with(HOSTILE))
    tmp_path.joinpath("report").write_text(written, encoding="utf-8")

    assert [] == OBEYED.findall(written)


def test_junit_stays_xml() -> None:
    """A hostile name or response leaves valid XML."""
    suites = ET.fromstring(to_junit(run_with(HOSTILE)).encode())
    assert suites.attrib["name"].startswith(r"paraph check: target a\x00b\x1b[2Jc\x07")
    assert any("]]>" in (one.text or "") for one in suites.iter("failure"))


def test_sarif_and_json_stay_json() -> None:
    """The JSON report escapes as JSON does, and loses only surrogates."""
    (sarif,) = json.loads(to_sarif(run_with(HOSTILE)))["runs"]
    assert sarif["results"][0]["message"]["text"].startswith(r"because a\x00b\x1b[2Jc")
    uri = sarif["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.startswith("folder/a%00b%1B") and uri.isascii()
    found = json.loads(to_json(document(run_with(HOSTILE))))
    assert f"target {HOSTILE}".replace("\ud800", "\ufffd") == found["target"]


def test_html_shows_markup_as_text() -> None:
    """A name with markup adds no element."""
    seen: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            """Record an element."""
            seen.append(tag)

    Parser().feed(to_html(run_with("<script>x</script>")))
    assert "script" not in seen


def test_a_line_is_one_line() -> None:
    """A reason with line breaks stays on one line."""
    finding = replace(run_with("").findings[0], reason="a\nFAIL  b\r\nc\u2028d\x85e")
    assert 1 == len(line_of(finding).splitlines())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zoë 日本 🦉", "Zoë 日本 🦉"),
        ("\x1b", r"\x1b"),
        ("\u202e", r"\u202e"),
        ("\ud800", r"\ud800"),
    ],
)
def test_letters_stay_and_the_rest_is_shown(text: str, expected: str) -> None:
    """Text of every script stays readable, and unprintable characters are named."""
    assert expected == visible(text)


@given(st.text(max_size=30, alphabet=st.characters(exclude_categories=())))
def test_whatever_text_arrives(text: str) -> None:
    """Every report of any text can be written and parsed, and contains no control character."""
    run = Run(text, "2026-01-01T00:00:00Z", file=text)
    entry = next(iter(catalogue().values()))
    run.findings.append(Finding(entry.id, entry.group, entry.severity, Verdict.FAIL, text, [text]))
    for form in ("text", "json", "sarif", "junit"):
        written = WRITERS[form](run)
        assert written.encode() and not OBEYED.search(written)
        if form == "junit":
            ET.fromstring(written.encode())
        elif form != "text":
            json.loads(written)
