"""Finds forms, links and other tags of a page without an HTML parser."""

from __future__ import annotations

import re
from html import unescape

from paraph.simulator.browser.browser_url import resolved

_FORM = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.IGNORECASE | re.DOTALL)
_FIELD = re.compile(
    r"<(input|button)\b([^>]*)>"
    r"|<(textarea|select)\b([^>]*)>(.*?)</(?:textarea|select)>",
    re.IGNORECASE | re.DOTALL,
)
_BUTTON_TEXT = re.compile(r"(.*?)</button>", re.IGNORECASE | re.DOTALL)
_OPTION = re.compile(r"<option\b([^>]*)>([^<]*)", re.IGNORECASE)
_LINK = re.compile(r"<a\b([^>]*)>(.*?)</a>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<([a-zA-Z]+)\b([^>]*)>")
_ATTRIBUTE = re.compile(r"([a-zA-Z-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))")
_VALUES = re.compile(r"\"[^\"]*\"|'[^']*'")


class Form:
    """A form of a page.

    Args:
        url: the URL of the page.
        attributes: the attributes of the form's tag.
        content: the markup between its tags.

    Attributes:
        method: GET or POST.
        action: the absolute URL to which it is sent.
        fields: the fields that pressing its first button sends.
        buttons: the name and value of each button, by its text.
    """

    def __init__(self, url: str, attributes: str, content: str) -> None:
        values = attributes_of(attributes)
        self.method = values.get("method", "get").upper()
        self.action = resolved(url, values.get("action") or url)
        self.fields: dict[str, str] = {}
        self.buttons: dict[str, tuple[str, str]] = {}
        for found in _FIELD.finditer(content):
            tag = (found[1] or found[3]).lower()
            text = found[2] if found[1] else found[4]
            field = attributes_of(text)
            name, kind = field.get("name", ""), field.get("type", "").lower()
            if tag == "button" or kind in {"submit", "image"}:
                self._add_button(tag, kind, field, content[found.end() :])
            elif not name or (kind in {"checkbox", "radio"} and not _is_set(text, "checked")):
                continue
            elif tag in {"textarea", "select"}:
                self.fields[name] = _chosen(found[5]) if tag == "select" else unescape(found[5])
            else:
                is_box = kind in {"checkbox", "radio"}
                self.fields[name] = field.get("value", "on" if is_box else "")
        name, value = next((one for one in self.buttons.values() if one[0]), ("", ""))
        self.fields |= {name: value} if name else {}

    def _add_button(self, tag: str, kind: str, field: dict[str, str], rest: str) -> None:
        if kind in {"button", "reset"}:
            return
        label = field.get("value", "")
        if tag == "button":
            ended = _BUTTON_TEXT.match(rest)
            label = visible(ended[1]) if ended else ""
        self.buttons[label] = (field.get("name", ""), field.get("value", ""))

    def pressed(self, label: str) -> dict[str, str]:
        """Return the fields that pressing the button with this text sends."""
        buttons = {name for name, _ in self.buttons.values()}
        fields = {name: value for name, value in self.fields.items() if name not in buttons}
        name, value = self.buttons[label]
        return fields | ({name: value} if name else {})


def attributes_of(text: str) -> dict[str, str]:
    """Return the attributes of a tag that have a value; names are in lower case."""
    return {
        found[1].lower(): unescape(found[2] or found[3] or found[4] or "")
        for found in _ATTRIBUTE.finditer(text)
    }


def visible(markup: str) -> str:
    """Return the text of some markup without its tags, with single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", markup)).split())


def forms_in(markup: str, url: str) -> list[Form]:
    """Return the forms of the page at this URL, in order."""
    return [Form(url, one[1], one[2]) for one in _FORM.finditer(markup)]


def links_in(markup: str, url: str) -> list[tuple[str, str]]:
    """Return the text and the absolute target of each link of the page at this URL."""
    found = [(visible(one[2]), attributes_of(one[1])) for one in _LINK.finditer(markup)]
    return [(text, resolved(url, values["href"])) for text, values in found if "href" in values]


def tags_in(markup: str, *names: str) -> list[dict[str, str]]:
    """Return the attributes of each tag with one of these names."""
    return [attributes_of(one[2]) for one in _TAG.finditer(markup) if one[1].lower() in names]


def _is_set(attributes: str, name: str) -> bool:
    """Return true if a tag has an attribute, with or without a value."""
    return name in _VALUES.sub("", attributes.lower())


def _chosen(options: str) -> str:
    """Return the value of the selected option, or of the first one."""
    found = list(_OPTION.finditer(options))
    chosen = next(
        (one for one in found if _is_set(one[1], "selected")), found[0] if found else None
    )
    if chosen is None:
        return ""
    return attributes_of(chosen[1]).get("value", unescape(chosen[2]).strip())
