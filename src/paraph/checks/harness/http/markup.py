"""Finds the forms, links and loaded resources of a response."""

from __future__ import annotations

import re

from paraph.checks.harness.http.response import Response
from paraph.checks.verdict import ControlFailedError
from paraph.simulator.browser.browser_url import resolved
from paraph.simulator.browser.markup import Form, forms_in, tags_in

_LOADING = ("script", "img", "iframe", "frame", "embed", "audio", "video", "source")
_LOADING_LINK = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}
_REFRESH = re.compile(r"(?i)url\s*=\s*['\"]?([^'\"]+)")


def forms_of(page: Response) -> list[Form]:
    """Return the forms of a page, in order."""
    return forms_in(page.text, page.url)


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
    return tags_in(page.text, *names)


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
