"""Keeps codes, states and handoffs out of the access logs of servers in this process.

A server writes the whole URL of each request. The URL of the redirection endpoint holds a code and
a state, those of link requests and handoffs hold one-use codes (RFC 9700 section 4.3.1).
"""

from __future__ import annotations

import logging
import re

# Every server that writes its access log by the standard logging module.
LOGGERS = ("uvicorn.access", "gunicorn.access", "hypercorn.access", "daphne.access", "werkzeug")
# A query in a text, or a text that is a query, with one of these parameters.
_NAMES = "(?:code|state|handoff|request)="
_SECRET = re.compile(rf"""\?(?:[^\s"'#]*&)?{_NAMES}[^\s"'#]*|\A(?:[^\s"'#/?]*&)?{_NAMES}\S*""")


class HideCodes(logging.Filter):
    """Removes queries with codes from the arguments of every log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record; it is always logged."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_masked, record.args))
        elif isinstance(record.args, dict):
            # In place: gunicorn's mapping has an entry for every header that a format may name.
            record.args.update({name: _masked(value) for name, value in record.args.items()})
        record.msg = _masked(record.msg)
        return True


def _masked(value: object) -> object:
    return _SECRET.sub("?***", value) if isinstance(value, str) else value


_hide_codes = HideCodes()


def hide_codes() -> None:
    """Install the filter; a second call has no effect."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_hide_codes)
