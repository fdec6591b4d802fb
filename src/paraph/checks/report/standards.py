"""The addresses of the standards that the catalogue names."""

from __future__ import annotations

import re

_PLACES = (
    (
        re.compile(r"RFC (\d+) section ([\d.]+)"),
        r"https://www.rfc-editor.org/rfc/rfc\1.html#section-\2",
    ),
    (re.compile(r"RFC (\d+)"), r"https://www.rfc-editor.org/rfc/rfc\1.html"),
    (re.compile(r"CWE-(\d+)"), r"https://cwe.mitre.org/data/definitions/\1.html"),
    (re.compile(r"ASVS 5\.0 .*"), "https://github.com/OWASP/ASVS/tree/v5.0.0/5.0"),
    (
        re.compile(r"OWASP API Security .*"),
        "https://owasp.org/API-Security/editions/2023/en/0x11-t10/",
    ),
)


def standard_url(standard: str) -> str:
    """Return the address of a section of a standard, or "" if it is not known."""
    for pattern, place in _PLACES:
        if found := pattern.fullmatch(standard):
            return found.expand(place)
    return ""


def in_markdown(standard: str) -> str:
    """Return the name of a standard as a Markdown link, or as text if its address is not known."""
    url = standard_url(standard)
    return f"[{standard}]({url})" if url else standard
