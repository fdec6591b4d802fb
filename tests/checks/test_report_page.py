"""The HTML report in a real browser: on a narrow screen, on paper, without external resources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

from paraph.checks.catalogue import catalogue
from paraph.checks.report.page import to_html
from paraph.checks.runner import Run
from paraph.checks.verdict import Finding, Verdict
from programs import BROWSERS, need_program, skip_test

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, if it is installed."""
    found = need_program(*BROWSERS)
    with sync_playwright() as playwright:
        try:
            made = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except Error as error:
            skip_test(f"no Chromium: {error.message.splitlines()[0]}")
        yield made
        made.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every case, every verdict, and evidence with long lines and markup."""
    run = Run("an app", "2026-01-01T00:00:00Z", seconds=61.0)
    verdicts = list(Verdict)
    for number, entry in enumerate(catalogue().values()):
        evidence = [f"GET http://127.0.0.1/{'x' * 500}", "<script>window.hurt = true</script>"]
        finding = Finding(entry.id, entry.group, entry.severity, verdicts[number % 4], "because")
        finding.evidence = evidence
        run.findings.append(finding)
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(to_html(run), "utf-8")
    return file


@pytest.mark.parametrize("width", [400, 1200])
def test_the_report_fits_its_window(browser: Browser, report: Path, width: int) -> None:
    """The page never scrolls sideways, with all evidence opened."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert width >= page.evaluate("document.documentElement.scrollWidth")
    assert page.evaluate("window.hurt") is None
    assert len(catalogue()) == page.locator("svg rect").count()
    assert [report.as_uri()] == asked
    page.close()


def test_the_report_goes_on_paper(browser: Browser, report: Path) -> None:
    """The page prints as a document of several pages."""
    page = browser.new_page()
    page.goto(report.as_uri())
    assert page.pdf(format="A4").startswith(b"%PDF-")
    page.close()
