"""Finds forms, links and other tags of a page without an HTML parser."""

from __future__ import annotations

import re
from html import unescape

from paraph.checks.harness.http.browser_url import resolved
from paraph.checks.harness.http.response import Response
from paraph.checks.verdict import ControlFailedError

_FORM = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.IGNORECASE | re.DOTALL)
_FIELD = re.compile(r"<(?:input|button)\b([^>]*)>", re.IGNORECASE)
_TAG = re.compile(r"<([a-zA-Z]+)\b([^>]*)>")
_LOADING = ("script", "img", "iframe", "frame", "embed", "audio", "video", "source")
_LOADING_LINK = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}
_REFRESH = re.compile(r"(?i)url\s*=\s*['\"]?([^'\"]+)")
_ATTRIBUTE = re.compile(r"([a-zA-Z-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))")


class Form:
    """A form of a page with the fields that pressing its first button would send."""

    def __init__(self, page: Response, attributes: str, content: str) -> None:
        values = _attributes(attributes)
        self.method = values.get("method", "get").upper()
        self.action = resolved(page.url, values.get("action") or page.url)
        self.fields: dict[str, str] = {}
        pressed = False
        for found in _FIELD.finditer(content):
            field = _attributes(found[1])
            name, kind = field.get("name", ""), field.get("type", "").lower()
            is_button = found[0].lower().startswith("<button") or kind == "submit"
            if not name or (is_button and pressed):
                continue
            if kind in {"checkbox", "radio"} and "checked" not in found[1]:
                continue
            pressed = pressed or is_button
            self.fields[name] = field.get("value", "")


def _attributes(text: str) -> dict[str, str]:
    return {
        found[1].lower(): unescape(found[2] or found[3] or found[4] or "")
        for found in _ATTRIBUTE.finditer(text)
    }


def forms_of(page: Response) -> list[Form]:
    """Return the forms of a page, in order."""
    return [Form(page, one[1], one[2]) for one in _FORM.finditer(page.text)]


def find_form(page: Response, *words: str) -> Form | None:
    """Find the first form whose action contains one of the words."""
    found = [one for one in forms_of(page) if not words or any(w in one.action for w in words)]
    return found[0] if found else None


def require_form(page: Response, *words: str) -> Form:
    """Find a form as `find_form` does.

    Raises:
        ControlFailedError: the page has no such form, so the case cannot go on.
    """
    form = find_form(page, *words)
    if form is None:
        raise ControlFailedError(f"the page at {page.url} has no form to {' or '.join(words)}")
    return form


def links_of(page: Response) -> list[str]:
    """Return the targets of the links of a page."""
    return [resolved(page.url, one["href"]) for one in tags_of(page, "a") if "href" in one]


def tags_of(page: Response, *names: str) -> list[dict[str, str]]:
    """Return the attributes of each tag with one of these names."""
    return [_attributes(one[2]) for one in _TAG.finditer(page.text) if one[1].lower() in names]


def buttons_of(page: Response) -> list[str]:
    """Return the targets of links that look like buttons."""
    return [
        resolved(page.url, one["href"])
        for one in tags_of(page, "a")
        if "href" in one and ("button" in one.get("class", "") or "btn" in one.get("class", ""))
    ]


def loaded_by(page: Response) -> list[str]:
    """Return the URLs that a browser loads for a page; it sends the page's URL as the referrer."""
    sources = [one.get("src", "") for one in tags_of(page, *_LOADING)]
    links = [
        one.get("href", "")
        for one in tags_of(page, "link")
        if _LOADING_LINK & set(one.get("rel", "").lower().split())
    ]
    return [resolved(page.url, one) for one in (*sources, *links) if one]


def redirects_of(page: Response) -> list[str]:
    """Return the targets of a Refresh header or of meta refresh tags, which act as redirects."""
    tags = tags_of(page, "meta") if page.is_html else []
    said = [o.get("content", "") for o in tags if o.get("http-equiv", "").lower() == "refresh"]
    found = [_REFRESH.search(one) for one in (page.header("refresh"), *said)]
    return [resolved(page.url, one[1]) for one in found if one]
