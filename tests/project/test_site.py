"""The documentation site: its navigation, its links, and a strict build."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import site_hooks

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("document", "target", "page"),
    [
        ("README.md", "docs/how-to/keys.md", "how-to/keys.md"),
        ("README.md", "CHANGELOG.md", "project/changelog.md"),
        ("docs/how-to/mount.md", "../reference/settings.md", "reference/settings.md"),
        ("docs/tutorials/installs.md", "../../README.md", "index.md"),
        ("docs/how-to/gunicorn.md", "../../examples/wsgi", "examples/wsgi.md"),
        ("docs/tutorials/fastapi.md", "../../examples/fastapi/app.py", "examples/fastapi.md"),
        ("docs/how-to/deploy.md", "../../deploy", "how-to/deploy-files.md"),
    ],
)
def test_links_lead_to_pages_of_the_site(document: str, target: str, page: str) -> None:
    """A link out of `docs/` leads to the page that shows its target."""
    assert page == site_hooks.site_path(document, target)


def test_links_in_code_stay() -> None:
    """A fenced block is shown as it is written."""
    text = "[a](../../README.md#b)\n\n```text\n[a](../../README.md#b)\n```\n"

    assert "[a](../index.md#b)\n\n```text\n[a](../../README.md#b)\n```\n" == site_hooks.for_site(
        text, "docs/how-to/x.md", "how-to/x.md"
    )


@pytest.mark.parametrize(
    ("url", "address"),
    [("", "vendor/mermaid.tiny.js"), ("how-to/keys/", "../../vendor/mermaid.tiny.js")],
)
def test_diagrams_are_drawn_by_our_own_copy(url: str, address: str) -> None:
    """Only a page with a diagram loads the script, and from the site itself."""
    page: Any = SimpleNamespace(url=url)
    drawn = '<head></head><pre class="mermaid">'

    assert f'<head><script src="{address}"></script>' in site_hooks.on_post_page(drawn, page)
    assert "<head></head>" == site_hooks.on_post_page("<head></head>", page)
    assert all((site_hooks.DOCS / name).is_file() for name in site_hooks.DIAGRAMS)


def test_every_page_of_an_index_exists() -> None:
    """The navigation and llms.txt list pages that exist, each with a summary."""
    for section in site_hooks.SECTIONS:
        for one in site_hooks.entries(section):
            assert (site_hooks.DOCS / one.path).is_file(), one.path
            assert one.summary, one.path
            assert f"[{one.title}]({one.path}): {one.summary}" in site_hooks.llms_text()


@pytest.mark.slow
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    """No link or anchor is dead, each page can be searched, and no file comes from another host."""
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir"]
    ran = subprocess.run(
        [*command, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    index = json.loads((tmp_path / "search" / "search_index.json").read_text(encoding="utf-8"))
    found = {one["location"].partition("#")[0] for one in index["docs"]}
    for section in site_hooks.SECTIONS:
        for page in (site_hooks.DOCS / section).glob("*.md"):
            name = "" if page.stem == "index" else f"{page.stem}/"
            assert f"{section}/{name}" in found
            assert (tmp_path / section / page.name).is_file()
    for path in (path for path in (ROOT / "deploy").rglob("*") if path.is_file()):
        assert path.read_bytes() == (tmp_path / path.relative_to(ROOT)).read_bytes()
    loaded = re.compile(
        r"<(?:script|img|iframe)[^>]+src=\"?https?:|<link[^>]+stylesheet[^>]+https?:"
    )
    for html in tmp_path.rglob("*.html"):
        assert not loaded.search(html.read_text(encoding="utf-8")), html
    assert "# paraph" == (tmp_path / "llms.txt").read_text(encoding="utf-8").partition("\n")[0]
