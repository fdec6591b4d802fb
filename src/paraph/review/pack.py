"""The parts of an evidence pack: sections of statements, tables and pictures."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from paraph.visible_text import visible

_CODE = re.compile(r"`([^`]+)`")
_MARKS = re.compile(r"[\\<&\[\]*_`|]")
MEASURED = "measured now"
FROM_SETTINGS = "from the settings"
BY_TEAM = "to be added by the team"
OPEN = "not shown"


def tested(file: str) -> str:
    """Say that a test of paraph's own suite shows a statement."""
    return f"tested by {file}"


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence, and how it is known."""

    text: str
    known: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `known` says how its content is known."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    known: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as SVG, with the text for people who do not see it."""

    svg: str
    text: str
    known: str


Block = Statement | Table | Picture


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the pack."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Pack:
    """An evidence pack.

    Attributes:
        title: the name of the app.
        made_at: UTC in ISO 8601.
        sections: in the order of reading.
    """

    title: str
    made_at: str
    sections: Sequence[Section]


def picture_of(pack: Pack) -> Picture:
    """Return the one picture of a pack, which Markdown shows from a file beside it."""
    (picture,) = (
        block for one in pack.sections for block in one.blocks if isinstance(block, Picture)
    )
    return picture


_INTRODUCTION = (
    "Each statement says how it is known: measured when this pack was made, read from the "
    "settings, shown by a test of paraph's own suite, or to be added by the team. What was not "
    "measured is marked as not shown."
)


def to_markdown(pack: Pack) -> str:
    """Format a pack as Markdown; pictures are files beside it."""
    lines = [f"# Security evidence: {in_markdown(pack.title)}", "", f"Made at {pack.made_at}.", ""]
    lines += [_INTRODUCTION, ""]
    for section in pack.sections:
        lines += [f"## {section.title}", ""]
        for block in section.blocks:
            lines += [*_markdown_of(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_of(block: Block) -> Iterator[str]:
    known = f"*({in_markdown(block.known)})*"
    if isinstance(block, Statement):
        yield f"- {_coded_markdown(block.text)} {known}"
    elif isinstance(block, Picture):
        yield f"![{block.text}](data-flow.svg)"
        yield ""
        yield known
    else:
        yield "| " + " | ".join(map(in_markdown, block.heads)) + " |"
        yield "| " + " | ".join(["---"] * len(block.heads)) + " |"
        for row in block.rows:
            yield "| " + " | ".join(map(in_markdown, row)) + " |"
        yield ""
        yield known


def in_markdown(text: str) -> str:
    """Escape a text, so that Markdown shows it as it is: no link, no picture, no HTML."""
    return _MARKS.sub(r"\\\g<0>", visible(text))


def _coded_markdown(text: str) -> str:
    """Escape a text except its parts between backticks, which Markdown shows as they are."""
    # Every second part stood between backticks.
    parts = _CODE.split(text)
    return "".join(
        f"`{visible(one)}`" if place % 2 else in_markdown(one) for place, one in enumerate(parts)
    )


def texts_of(pack: Pack) -> Iterator[str]:
    """Return every text of a pack as it was before it was formatted."""
    yield pack.title
    for section in pack.sections:
        yield section.title
        for block in section.blocks:
            yield block.known
            if isinstance(block, Table):
                yield from (one for row in (block.heads, *block.rows) for one in row)
            else:
                yield block.text


def to_html(pack: Pack) -> str:
    """Format a pack as one HTML page without script, which prints on A4 and Letter."""
    title = html.escape(visible(pack.title))
    contents = "".join(
        f'<li><a href="#s{number}">{html.escape(section.title)}</a></li>'
        for number, section in enumerate(pack.sections, 1)
    )
    body = "".join(
        f'<section id="s{number}"><h2>{number}. {html.escape(section.title)}</h2>'
        f"{''.join(map(_html_of, section.blocks))}</section>"
        for number, section in enumerate(pack.sections, 1)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Security evidence: {title}</title><style>{_STYLE}</style></head><body>"
        f"<header><p>Security evidence</p><h1>{title}</h1><p>Made at {pack.made_at}</p></header>"
        f"<main><p>{_INTRODUCTION}</p><nav "
        f'aria-label="Contents"><ol>{contents}</ol></nav>{body}</main>'
        "</body></html>\n"
    )


def _html_of(block: Block) -> str:
    known = f'<span class="known">{html.escape(block.known)}</span>'
    if isinstance(block, Statement):
        return f"<p>{_coded(visible(block.text))} {known}</p>"
    if isinstance(block, Picture):
        caption = f"<figcaption>{html.escape(block.text)} {known}</figcaption>"
        return f"<figure>{block.svg}{caption}</figure>"
    heads = "".join(f'<th scope="col">{html.escape(one)}</th>' for one in block.heads)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(visible(one))}</td>" for one in row) + "</tr>"
        for row in block.rows
    )
    long = " long" if len(block.rows) > _LONG else ""
    return (
        f'<p class="above">{known}</p><div class="table{long}"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _coded(text: str) -> str:
    """Escape a text, and show parts between backticks as code."""
    return _CODE.sub(r"<code>\1</code>", html.escape(text))


# A table with more rows is printed closely.
_LONG = 20
_STYLE = (
    ":root{color-scheme:light;--ink:#1c2430;--dim:#505c6b;--line:#d8d4ca;--act:#0b5cab;--well:#f5f3ee}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:54rem;padding:2rem 1.25rem;color:var(--ink);background:#fff;"
    "font:15px/1.55 system-ui,-apple-system,'Segoe UI',sans-serif}"
    "header{border-bottom:3px solid var(--act);margin-bottom:1.5rem}"
    "header p{margin:.2rem 0;color:var(--dim)}h1{font-size:1.9rem;line-height:1.2;margin:.2rem 0}"
    "h2{font-size:1.2rem;margin:2rem 0 .7rem;break-after:avoid}p{margin:0 0 .55rem}"
    "a{color:var(--act)}nav ol{columns:2;margin:0 0 1rem;padding-left:1.4rem}"
    ".known{display:inline-block;max-width:100%;font-size:.78em;color:var(--dim);background:var(--well);border-radius:.3rem;"
    "padding:.05rem .4rem;overflow-wrap:anywhere}"
    ".table{overflow-x:auto}"
    "table{border-collapse:collapse;width:100%;font-size:.88rem;margin:.3rem 0 .5rem}"
    "th,td{border-bottom:1px solid var(--line);padding:.35rem .6rem .35rem 0;text-align:left;"
    "vertical-align:top;overflow-wrap:anywhere}th{color:var(--dim);font-weight:600}"
    "tr,figure,.table:not(.long){break-inside:avoid}.above{break-after:avoid}"
    "figure{margin:.5rem 0 1rem}figure svg{width:100%;height:auto}"
    "figcaption{font-size:.85rem;color:var(--dim)}"
    ".long table{font-size:.8rem}.long td,.long th{padding:.12rem .6rem .12rem 0}"
    "@page{margin:18mm 16mm;@bottom-right{content:counter(page) ' of ' counter(pages);"
    "font:9pt system-ui,sans-serif;color:#505c6b}}"
    "@media print{body{max-width:none;padding:0;font-size:10.5pt}"
    "a{color:inherit;text-decoration:none}"
    "thead{display:table-header-group}.table{overflow:visible}}"
)
