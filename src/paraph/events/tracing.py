"""Traces: continues the delivery's `traceparent` to the host if spans are collected.

Only the OpenTelemetry API is used; without an SDK in the process nothing is created or measured.
Zoom does not sign `traceparent`, so it decides nothing and is passed on only if well formed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_TRACEPARENT = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_propagator = TraceContextTextMapPropagator()


def traceparent_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the `traceparent` header if there is one, well formed; else ""."""
    for name, value in headers:
        if name == b"traceparent":
            return value.decode("ascii") if _TRACEPARENT.fullmatch(value) else ""
    return ""


def is_measured() -> bool:
    """Return True if an OpenTelemetry SDK collects spans here. Reads the environment."""
    provider = trace.get_tracer_provider()
    return not isinstance(provider, (trace.ProxyTracerProvider, trace.NoOpTracerProvider))


@contextmanager
def span(name: str, *, parent: str, kind: trace.SpanKind, **attributes: Any) -> Iterator[str]:
    """Measure a block as one span below `parent`. Yields the `traceparent` to forward."""
    if not is_measured():
        yield parent
        return
    context = _propagator.extract({"traceparent": parent}) if parent else None
    tracer = trace.get_tracer("paraph")
    with tracer.start_as_current_span(
        name,
        context=context,
        kind=kind,
        attributes=attributes,
        # An exception's text may contain secrets, also that of a host's handler.
        record_exception=False,
        set_status_on_exception=False,
    ) as measured:
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        try:
            yield carrier.get("traceparent", parent)
        except BaseException as error:
            measured.set_status(trace.Status(trace.StatusCode.ERROR, type(error).__name__))
            raise
