"""Prints an HTML page to PDF with an installed Chromium."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SECONDS = 120


def find_browser() -> str:
    """Return the path of Chromium or Chrome; "" if neither is installed."""
    return next((path for one in BROWSERS if (path := shutil.which(one))), "")


def print_page(browser: str, page: Path, pdf: Path) -> str:
    """Print a page that loads nothing from elsewhere; return why it failed, or "".

    Args:
        browser: from `find_browser`.
        page: the HTML file.
        pdf: the file to write; an older one is removed first.
    """
    pdf.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="paraph-print-") as profile:
        # A fixed list of options: the page is the only input, and it holds no script.
        command = [browser, "--headless", "--disable-gpu", "--no-sandbox", "--no-pdf-header-footer"]
        command += [f"--user-data-dir={profile}", f"--print-to-pdf={pdf.absolute()}"]
        try:
            done = subprocess.run(  # noqa: S603
                [*command, page.absolute().as_uri()],
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return type(error).__name__
    if done.returncode == 0 and pdf.exists():
        return ""
    pdf.unlink(missing_ok=True)
    return f"the browser ended with {done.returncode}"
