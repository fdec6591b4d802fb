"""Traces hold what happened and nothing of what it was about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace

from paraph.events.tracing import span


class _Span(trace.NonRecordingSpan):
    """A span that somebody collects."""

    def __init__(self) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)
        self.told: list[str] = []

    def is_recording(self) -> bool:
        """It is."""
        return True

    def set_status(self, status: Any, description: str | None = None) -> None:
        """Note the words."""
        self.told.append(f"{status.status_code.name} {status.description} {description}")

    def record_exception(self, exception: BaseException, *_more: Any, **_named: Any) -> None:
        """Note the words."""
        self.told.append(str(exception))


class _Collector(trace.TracerProvider, trace.Tracer):
    """An SDK as the API describes one."""

    def __init__(self) -> None:
        self.span = _Span()

    def get_tracer(self, *_names: Any, **_more: Any) -> trace.Tracer:
        """The one there is."""
        return self

    def start_span(self, *_names: Any, **_more: Any) -> trace.Span:
        """The one there is."""
        return self.span

    @contextmanager
    def start_as_current_span(  # type: ignore[override]
        self, *_names: Any, **options: Any
    ) -> Iterator[trace.Span]:
        """As the API's own `use_span` does it."""
        wanted = ("record_exception", "set_status_on_exception")
        kept = {name: options[name] for name in wanted if name in options}
        with trace.use_span(self.span, **kept) as current:
            yield current


def test_the_words_of_an_exception_reach_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler's exception may quote a token: its class is told, its words are not."""
    collector = _Collector()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", collector)
    with (
        pytest.raises(RuntimeError),
        span("paraph.forward", parent="", kind=trace.SpanKind.PRODUCER),
    ):
        raise RuntimeError("the canary token")
    assert ["ERROR RuntimeError None"] == collector.span.told
