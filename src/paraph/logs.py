"""Structured logs without secrets.

Redaction is a net under the rule, not the rule: nothing secret is handed to a logger
in the first place, and what slips through by name or by type is masked here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TextIO, cast

import msgspec
import structlog

from paraph.secret import Secret

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

MASK = "***"

# Whole words within a key: "state" and "access_token" match, "statement" does not.
_SECRET_KEY = re.compile(
    r"(?:^|[_\-.])(?:authorization|claim|code|cookie|handoff|nonce|password|query|secret|signature|"
    r"state|token|verifier)(?:$|[_\-.])",
    re.IGNORECASE,
)
# In free text: what a query string or header would carry, whatever stands around it.
_SECRET_TEXT = re.compile(
    r"(?i)\b(code|state|handoff|request|access_token|refresh_token|client_secret|code_verifier|bearer|basic)"
    r"([=\s:]+)[A-Za-z0-9._~+/%=-]{8,}"
)
# Keys whose last word is harmless although the first looks secret.
_PLAIN_KEYS = frozenset({"status_code", "error_code", "code_challenge_method", "token_type"})


def _redacted(key: str, value: Any) -> Any:
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Mapping):
        return {inner: _redacted(str(inner), item) for inner, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(key, item) for item in value]
    if isinstance(value, (int, float)):
        # A count by reason, as of "state_mismatch": no secret of ours is a number.
        return value
    if key not in _PLAIN_KEYS and _SECRET_KEY.search(key):
        return MASK
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if value is None:
        return None
    # Of anything else, such as an exception, the renderer would write the words just the same.
    return _SECRET_TEXT.sub(rf"\1\2{MASK}", str(value))


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: masks what is secret by type, by name or by its look in text."""
    return {key: _redacted(key, value) for key, value in event.items()}


def set_up_logs(*, stream: TextIO | None = None, as_json: bool | None = None) -> None:
    """Send every log line to one stream, redacted.

    Args:
        stream: where to; standard error when absent.
        as_json: one JSON object a line; by default so unless the stream is a terminal.
    """
    target = sys.stderr if stream is None else stream
    plain = target.isatty() if as_json is None else not as_json
    _output.stream = target
    _output.is_json = not plain
    _output.render = (
        structlog.dev.ConsoleRenderer(colors=target.isatty())
        if plain
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # No traceback processor: a stack trace shows local text. The class and our own detail
            # are logged by whoever catches the error.
            redact,
            _output.rendered,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        logger_factory=structlog.PrintLoggerFactory(file=cast("TextIO", _output)),
        cache_logger_on_first_use=True,
    )


class _Output:
    """The stream and the format of all log lines.

    Loggers keep what they were made with at their first line, so they keep this object: a later
    `set_up_logs` reaches them as well.
    """

    def __init__(self) -> None:
        self.stream: TextIO = sys.stderr
        self.is_json = False
        self.render: Any = structlog.dev.ConsoleRenderer(colors=False)

    def rendered(self, logger: WrappedLogger, method: str, event: EventDict) -> Any:
        """Render one event; a structlog processor."""
        return self.render(logger, method, event)

    def write(self, text: str) -> int:
        """Write text to the present stream."""
        return self.stream.write(text)

    def flush(self) -> None:
        """Flush the present stream."""
        self.stream.flush()


_output = _Output()
_stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)


def log_many(part: str, event: str, lines: Iterable[Mapping[str, str | int]]) -> None:
    """Many lines of one kind, written at once: a line for each delivery must cost next to nothing.

    They are not looked through for secrets: only words of our own, numbers and values whose
    alphabet was checked may be handed in.
    """
    if not _output.is_json:
        logger = get_logger(part)
        for line in lines:
            logger.info(event, **line)
        return
    # The same object whose members are told one after the other: around each line's own stand
    # those of all.
    before = msgspec.json.encode({"part": part})[:-1] + b","
    frame = {"event": event, "level": "info", **_stamp(None, "info", {})}
    after = b"," + msgspec.json.encode(frame)[1:] + b"\n"
    whole = b"".join([before + msgspec.json.encode(line)[1:-1] + after for line in lines])
    _output.write(whole.decode())
    _output.flush()


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger that says which part speaks."""
    logger: FilteringBoundLogger = structlog.get_logger(part=name)
    return logger
