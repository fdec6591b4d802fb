"""Keeps codes, states and handoffs out of the access logs of servers in this process.

A server writes the whole URL of each request. The URL of the redirection endpoint holds a code and
a state, those of link requests and handoffs hold one-use codes (RFC 9700 section 4.3.1).
"""

from __future__ import annotations

import logging
import re
from urllib.parse import unquote

# The servers that write their access log by the standard logging module. Daphne, waitress, cheroot,
# uWSGI and mod_wsgi do not; CherryPy's logger has a name of its own in each application.
LOGGERS = (
    "uvicorn.access",
    "gunicorn.access",
    "hypercorn.access",
    "granian.access",
    "aiohttp.access",
    "werkzeug",
)
_NAMES = "(?:code|state|handoff|request)="
# In a decoded word of a line, and in a text that may be nothing but a query.
_IN_WORD = re.compile(f"[?&;]{_NAMES}")
_IN_QUERY = re.compile(rf"(?:\A|[?&;]){_NAMES}")
# A quotation mark may be a character of the URL, so only white space ends a URL.
_WORD = re.compile(r"\S*[=%]\S*")


class HideCodes(logging.Filter):
    """Removes queries with codes from the texts of every log record, and from its arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record; it is always logged."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_masked, record.args))
        elif isinstance(record.args, dict):
            # In place: gunicorn's mapping has an entry for every header that a format may name.
            record.args.update({name: _masked(value) for name, value in record.args.items()})
        # `msg`, and what a server passes as `extra`, which formatters for JSON write as well.
        for name, value in list(vars(record).items()):
            vars(record)[name] = _masked(value)
        return True


def _masked(value: object) -> object:
    if isinstance(value, bytes):
        return _masked_text(value.decode("latin-1")).encode("latin-1")
    return _masked_text(value) if isinstance(value, str) else value


def _masked_text(text: str) -> str:
    secret = _IN_WORD if any(map(str.isspace, text)) else _IN_QUERY

    def mask(word: re.Match[str]) -> str:
        # Decoded, as the application does: a name may be written `%63ode`.
        if not secret.search(unquote(word[0])):
            return word[0]
        before, _, after = word[0].partition("?")
        shown = "" if secret.search(unquote(before)) or not after else before
        quotation = word[0][-1] if word[0][-1] in "\"'" else ""
        return f"{shown}?***{quotation}"

    return _WORD.sub(mask, text)


_hide_codes = HideCodes()


def hide_codes() -> None:
    """Install the filter; a second call has no effect."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_hide_codes)
