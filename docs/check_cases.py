"""The generated parts of the page of every case of `paraph check` and of every advice."""

from __future__ import annotations

from collections.abc import Iterator

from paraph.checks.advice import Advice, advice, incidents
from paraph.checks.catalogue import GROUPS, SEVERITIES, Entry, catalogue
from paraph.checks.report.standards import in_markdown


def contents() -> str:
    """Every case by severity and group, with a link."""
    parts = []
    for severity in SEVERITIES:
        rows = []
        for group, title in GROUPS.items():
            links = [
                f"[{one.id}](#{one.id})"
                for one in catalogue().values()
                if one.group == group and one.severity == severity
            ]
            if links:
                rows.append(f"- {title}: {', '.join(links)}")
        parts.append("\n".join([f"**{severity.capitalize()}**", "", *rows]))
    return "\n\n".join(parts)


def cases() -> str:
    """Every case: the attack, the damage, incidents, standards and the fix."""
    parts: list[str] = []
    for group, title in GROUPS.items():
        parts.append(f"## {title}")
        for entry in catalogue().values():
            if entry.group == group:
                parts += _case(entry)
    return "\n\n".join(parts)


def _case(entry: Entry) -> Iterator[str]:
    yield f"### {entry.id}"
    yield f"{entry.title}. Severity: {entry.severity}."
    rows = [
        f"- Attack: {entry.attack}",
        f"- Expectation: {entry.expectation}",
        f"- Why it matters: {entry.why}",
    ]
    for one in incidents().get(entry.id, []):
        rows += [f"- It happened: [{one.name}]({one.url}). {one.text}"]
    standards = ", ".join(in_markdown(one) for one in entry.standards)
    fix = f"[{advice()[entry.advice].title}](#advice-{entry.advice})"
    yield "\n".join([*rows, f"- Standards: {standards}", f"- Fix: {entry.fix} See {fix}."])


def fixes() -> str:
    """Every advice: the fix, its code for each framework, and the cases that it fixes."""
    parts: list[str] = []
    for one in advice().values():
        parts += _advice(one)
    return "\n\n".join(parts)


def _advice(one: Advice) -> Iterator[str]:
    yield f'<a id="advice-{one.id}"></a>'
    yield f"### {one.title}"
    yield one.text
    names = [entry.id for entry in catalogue().values() if entry.advice == one.id]
    yield f"Cases: {', '.join(f'[{name}](#{name})' for name in names)}"
    if one.code:
        yield one.given
    for name, code in one.codes().items():
        yield f"{name}:"
        yield f"```{'js' if name == 'Express' else 'python'}\n{code}\n```"
