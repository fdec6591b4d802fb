"""Hooks of the documentation site: navigation, pages from outside `docs/`, and `llms.txt`.

mkdocs.yml names this file. The index page of a section lists its pages: each `- [Title](page.md)`
is an entry of the navigation, and each second-level heading a group of entries.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SECTIONS = {
    "tutorials": "Tutorials",
    "how-to": "How-to",
    "reference": "Reference",
    "explanation": "Explanation",
}
# Documents at the root of the repository, and the pages of the site that show them.
DOCUMENTS = {
    "README.md": "index.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
}
_LANGUAGES = {
    ".conf": "nginx",
    ".go": "go",
    ".html": "html+jinja",
    ".mjs": "javascript",
    ".py": "python",
    ".service": "ini",
    ".toml": "toml",
    ".yaml": "yaml",
    ".yml": "yaml",
}
# They draw diagrams: mermaid itself, which the theme would load from another host, and its colours.
DIAGRAMS = ("vendor/mermaid.tiny.js", "diagrams.js")
# The page that shows all files of `deploy/`. Each folder of `examples/` has a page of its own.
_DEPLOY = "how-to/deploy-files.md"
_LINK = re.compile(r"(\]\(|\bsrc(?:set)?=\")([^)#:\"\s]+)((?:#[^)\"]*)?[)\"])")
_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^- \[([^\]]+)\]\(([^)#]+\.md)\)(?:: (.*))?")


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that the index of a section lists.

    Attributes:
        group: the heading above it; "" if there is none.
        title: the title in the navigation.
        path: the page, relative to `docs/`.
        summary: the sentence behind the link.
    """

    group: str
    title: str
    path: str
    summary: str


def entries(section: str) -> Iterator[Entry]:
    """Yield the pages that the index page of a section lists, in its order."""
    group = ""
    text = (DOCS / section / "index.md").read_text(encoding="utf-8")
    for line in re.sub(r"\n  +", " ", text).splitlines():
        if line.startswith("## "):
            group = line.removeprefix("## ")
        elif found := _ENTRY.match(line):
            path = site_path(f"docs/{section}/index.md", found[2])
            yield Entry(group, found[1], path, found[3] or "")


def navigation() -> list[Any]:
    """Return the navigation of the site; a page that no index lists follows at the end."""
    nav: list[Any] = [{"Home": "index.md"}]
    for section, title in SECTIONS.items():
        listed: list[Any] = [f"{section}/index.md"]
        groups: dict[str, list[Any]] = {}
        seen = set(listed)
        for one in entries(section):
            seen.add(one.path)
            if one.group and one.group not in groups:
                listed.append({one.group: groups.setdefault(one.group, [])})
            (groups[one.group] if one.group else listed).append({one.title: one.path})
        pages = (f"{section}/{path.name}" for path in sorted((DOCS / section).glob("*.md")))
        nav.append({title: [*listed, *(page for page in pages if page not in seen)]})
    project = [path for path in DOCUMENTS.values() if path.startswith("project/")]
    return [*nav, {"Project": project}]


def site_path(document: str, target: str) -> str:
    """Return the page of the site that a relative link leads to.

    Args:
        document: the document with the link, relative to the root of the repository.
        target: the link, without its anchor.
    """
    path = posixpath.normpath(posixpath.join(posixpath.dirname(document), target))
    if path in DOCUMENTS:
        return DOCUMENTS[path]
    folder, _, rest = path.partition("/")
    if folder == "deploy":
        return _DEPLOY
    if folder == "examples":
        return f"examples/{rest.partition('/')[0]}.md"
    return path.removeprefix("docs/")


def for_site(text: str, document: str, page: str) -> str:
    """Return a document with links that lead to pages of the site.

    Args:
        text: the Markdown of the document.
        document: its place, relative to the root of the repository.
        page: the page of the site that shows it.
    """
    base = posixpath.dirname(page) or "."

    def moved(link: re.Match[str]) -> str:
        target = posixpath.relpath(site_path(document, link[2]), base)
        return f"{link[1]}{target}{link[3]}"

    pieces = []
    end = 0
    for code in _FENCE.finditer(text):
        pieces += [_LINK.sub(moved, text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*pieces, _LINK.sub(moved, text[end:])])


def code_pages() -> Iterator[tuple[str, str]]:
    """Yield a page with the files of `deploy/`, and one for each folder of `examples/`."""
    yield _DEPLOY, _code_page("Files for deployment", ROOT / "deploy")
    for folder in sorted(path for path in (ROOT / "examples").glob("*") if path.is_dir()):
        yield f"examples/{folder.name}.md", _code_page(f"Example: {folder.name}", folder)


def _code_page(title: str, folder: Path) -> str:
    parts = [f"# {title}"]
    for path in (path for path in sorted(folder.rglob("*")) if _is_shown(path)):
        code = path.read_text(encoding="utf-8").rstrip()
        language = _LANGUAGES.get(path.suffix, "text")
        name = path.relative_to(folder)
        download = f"[Download](../{name_of_download(path)})\n\n" * (folder.name == "deploy")
        parts.append(f"## {name}\n\n{download}````{language}\n{code}\n````")
    return "\n\n".join(parts) + "\n"


def name_of_download(path: Path) -> str:
    """Return the place in the site of a file of `deploy/`."""
    return path.relative_to(ROOT).as_posix()


def _is_shown(path: Path) -> bool:
    hidden = {"__pycache__", "migrations"} & set(path.parts)
    return path.is_file() and not hidden and path.suffix not in {".db", ".pyc"}


def llms_text() -> str:
    """Return `llms.txt`: every page with its summary, as a list of links to Markdown files."""
    summary = (ROOT / "README.md").read_text(encoding="utf-8").split("\n\n")[1]
    lines = ["# paraph", "", *(f"> {line}" for line in summary.splitlines())]
    for section, title in SECTIONS.items():
        lines += ["", f"## {title}", ""]
        for one in entries(section):
            lines.append(f"- [{one.title}]({one.path})" + (f": {one.summary}" * bool(one.summary)))
    return "\n".join(lines) + "\n"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the navigation."""
    config.nav = navigation()
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of documents and code outside `docs/`."""
    from mkdocs.structure.files import File

    for document, page in DOCUMENTS.items():
        text = for_site((ROOT / document).read_text(encoding="utf-8"), document, page)
        files.append(File.generated(config, page, content=text))
    for page, text in code_pages():
        files.append(File.generated(config, page, content=text))
    for path in (path for path in (ROOT / "deploy").rglob("*") if _is_shown(path)):
        files.append(File.generated(config, name_of_download(path), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead links out of `docs/` to the pages that show their targets."""
    path = page.file.src_uri
    return markdown if page.file.generated_by else for_site(markdown, f"docs/{path}", path)


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Add the scripts that draw diagrams to the pages that have one."""
    if '<pre class="mermaid">' not in output:
        return output
    addresses = (posixpath.relpath(one, page.url or ".") for one in DIAGRAMS)
    scripts = "".join(f'<script src="{one}"></script>' for one in addresses)
    return output.replace("</head>", f"{scripts}</head>", 1)


def on_post_build(config: MkDocsConfig) -> None:
    """Write `llms.txt`, and the Markdown of every page beside its HTML."""
    site = Path(config.site_dir)
    (site / "llms.txt").write_text(llms_text(), encoding="utf-8")
    for section in SECTIONS:
        for path in (DOCS / section).glob("*.md"):
            place = f"docs/{section}/{path.name}"
            text = for_site(path.read_text(encoding="utf-8"), place, f"{section}/{path.name}")
            (site / section / path.name).write_text(text, encoding="utf-8")
