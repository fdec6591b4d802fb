"""The HTML report in a real browser: on a narrow screen, on paper, without external resources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Error, sync_playwright

from paraph.checks.catalogue import catalogue
from paraph.checks.report.page import to_html
from paraph.checks.runner import Run
from paraph.checks.verdict import Change, Finding, Verdict
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
    return written_report(tmp_path_factory.mktemp("report"), len(catalogue()))


@pytest.fixture(scope="module")
def short_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a few cases of every verdict: axe needs long for each element."""
    return written_report(tmp_path_factory.mktemp("report"), 12)


def written_report(folder: Path, count: int) -> Path:
    """Write a report of the first `count` cases."""
    run = Run("an app", "2026-01-01T00:00:00Z", seconds=61.0, since="2025-12-31T00:00:00Z")
    verdicts = list(Verdict)
    for number, entry in enumerate([*catalogue().values()][:count]):
        evidence = [f"GET http://127.0.0.1/{'x' * 500}", "<script>window.hurt = true</script>"]
        finding = Finding(entry.id, entry.group, entry.severity, verdicts[number % 4], "because")
        finding.evidence = evidence
        run.findings.append(finding)
    run.findings[0].change, run.findings[1].change = Change.FIXED, Change.NEW
    run.findings[5].known_until, run.findings[5].known_reason = "2026-02-01", "planned"
    file = folder / "report.html"
    file.write_text(to_html(run), "utf-8")
    return file


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_report_goes_on_paper(browser: Browser, report: Path) -> None:
    """The page prints as a document of several pages."""
    page = browser.new_page()
    page.goto(report.as_uri())
    assert page.pdf(format="A4").startswith(b"%PDF-")
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    browser: Browser, short_report: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    """The report has enough contrast, names and keyboard access, with everything opened."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(short_report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(page).response["violations"]
    page.close()

    assert [] == [(one["id"], one["nodes"][0]["html"]) for one in found]
