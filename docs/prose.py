"""Finds retired words and long sentences in everything that people read.

Documents, docstrings, comments and messages are checked. `make lint` fails on any finding. Run
`python docs/prose.py FILE…` to check some files only.
"""

from __future__ import annotations

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from words import retired_in_text

ROOT = Path(__file__).resolve().parents[1]
LONGEST_SENTENCE = 30

# A clause in the place of a noun at the start: "What is kept is sealed." A question is fine.
_NOUN_CLAUSE = re.compile(r"(?:What|Who|Whom|Whether|Whose)\b")
_SENTENCE_END = re.compile(r"(?<=[.!?])[)\"'*_]*\s+|\n\s*\n")
# The section of a docstring that holds code; it is the last one.
_EXAMPLE = re.compile(r"^ *Example:\n.*\Z", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"``[^`]*``|`[^`]*`")
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
_MARKUP = re.compile(
    r"<(script|style)\b.*?</\1>|<[^>]*>|\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL
)
_SKIPPED_COMMENT = re.compile(r"#\s*(?:noqa|type:|fmt:|!|-{3,}|={3,})")


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that does not follow the rules.

    Attributes:
        line: the line where its text begins, from 1.
        text: the words found, or the start of the sentence.
        advice: the words to write instead.
    """

    line: int
    text: str
    advice: str


def findings_in_text(text: str, line: int, *, prose: bool) -> Iterator[Finding]:
    """Check one piece of text.

    Args:
        text: plain text; code between backticks is skipped.
        line: the line number of its start.
        prose: also check the length and the first word of each sentence.
    """
    text = _CODE.sub("CODE", text)
    for found, advice in retired_in_text(text):
        yield Finding(line + text.count("\n", 0, found.start()), found[0], advice)
    if not prose:
        return
    for sentence in _SENTENCE_END.split(text):
        words = _WORD.findall(sentence)
        start = " ".join(sentence.split())[:60]
        if len(words) > LONGEST_SENTENCE:
            yield Finding(line, start, f"{len(words)} words: split the sentence")
        if _NOUN_CLAUSE.match(sentence.lstrip()) and not sentence.rstrip().endswith("?"):
            yield Finding(line, start, "start with a verb or a noun")


def findings_in_markdown(source: str) -> Iterator[Finding]:
    """Check a document: paragraphs, list items and table cells; code blocks are skipped."""
    block: list[str] = []
    start = 1
    fenced = False
    for number, line in enumerate([*source.splitlines(), ""], 1):
        fence = line.lstrip().startswith("```")
        fenced ^= fence
        if fenced and not fence:
            continue
        row = "" if fence else line
        begins_item = re.match(r"\s*(?:[-*+]|\d+\.|>|#+)\s", row)
        if not row.strip() or begins_item or row.lstrip().startswith("|"):
            yield from findings_in_text("\n".join(block), start, prose=True)
            block, start = [], number
        if row.lstrip().startswith("|"):
            for cell in row.strip().strip("|").split("|"):
                yield from findings_in_text(_plain(cell), number, prose=True)
        elif row.strip() and not row.lstrip().startswith("<"):
            start = start if block else number
            block.append(_plain(re.sub(r"^\s*(?:[-*+]|\d+\.|>|#+)\s", "", row)))


def _plain(row: str) -> str:
    return re.sub(r"\]\([^)]*\)", "]", row)


def findings_in_python(source: str) -> Iterator[Finding]:
    """Check docstrings, comments, and the text of messages."""
    tree = ast.parse(source)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docstrings.add(first.value)
                if isinstance(first.value.value, str):
                    text = _EXAMPLE.sub("", first.value.value)
                    yield from findings_in_text(text, first.lineno, prose=True)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or node in docstrings:
            continue
        if isinstance(node.value, str) and node.value.count(" ") > 1:
            yield from findings_in_text(node.value, node.lineno, prose=False)
    yield from _findings_in_comments(source)


def _findings_in_comments(source: str) -> Iterator[Finding]:
    block: list[str] = []
    start = last = 0
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type != tokenize.COMMENT or _SKIPPED_COMMENT.match(token.string):
            continue
        if token.start[0] != last + 1:
            yield from findings_in_text("\n".join(block), start, prose=True)
            block, start = [], token.start[0]
        block.append(token.string.lstrip("# "))
        last = token.start[0]
    yield from findings_in_text("\n".join(block), start, prose=True)


def findings_in(path: Path) -> list[Finding]:
    """Every finding of one file."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        # Line numbers stay: only the tags and the template's own code go.
        return list(findings_in_text(_MARKUP.sub(_newlines, source), 1, prose=False))
    check = findings_in_python if path.suffix == ".py" else findings_in_markdown
    return list(check(source))


def _newlines(markup: re.Match[str]) -> str:
    return "\n" * markup[0].count("\n") + " "


def checked_files() -> list[Path]:
    """Documents and sources of the repository. Tests are not read by users."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    found += [path for kind in ("py", "html") for path in (ROOT / "src").rglob(f"*.{kind}")]
    return sorted(found)


def main(arguments: list[str]) -> int:
    """Print the findings of some files, or of all; return 1 if there are any."""
    count = 0
    for path in [Path(name).resolve() for name in arguments] or checked_files():
        for one in findings_in(path):
            print(f"{path.relative_to(ROOT)}:{one.line}: {one.text!r}: {one.advice}")
            count += 1
    print(f"prose: {count} findings")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
