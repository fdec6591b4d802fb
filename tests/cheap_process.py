"""Settings of a test process for a busy machine; `conftest.py` makes them before any test."""

from __future__ import annotations

import gc
import os
import ssl
from functools import cache
from typing import Any

import certifi
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from sqlalchemy.engine.base import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache


def load_authorities_once() -> None:
    """Share one TLS context among all HTTP clients that trust the public authorities.

    Each `httpx.get` makes a client, and each client loads the authorities: 20 ms of CPU. A context
    of a test's own certificate authority is made as before.
    """
    create = ssl.create_default_context
    # httpx prefers the file that the environment names.
    public = {certifi.where(), os.environ.get("SSL_CERT_FILE")}
    create_once = cache(lambda cafile: create(cafile=cafile))

    def create_default_context(*arguments: Any, **options: Any) -> ssl.SSLContext:
        if not arguments and set(options) == {"cafile"} and options["cafile"] in public:
            return create_once(options["cafile"])
        return create(*arguments, **options)

    ssl.create_default_context = create_default_context


def compile_statements_once() -> None:
    """Share the compiled SQL statements among all databases of one kind.

    Each test opens a database of its own, and compiling the statements anew for it is two fifths
    of the CPU time. The dialect is a part of the cache's key, so dialects of one class are equal.
    """
    compiled: LRUCache[Any, Any] = LRUCache(5000)
    dialect: Any = DefaultDialect
    dialect.__hash__ = lambda self: hash(type(self))
    dialect.__eq__ = lambda self, other: type(self) is type(other)
    engine: Any = Engine
    engine._compiled_cache = property(lambda self: compiled, lambda self, value: None)


def keep_modules_out_of_collections() -> None:
    """Let the garbage collector skip everything that was imported and collected as tests.

    A full collection would walk through all modules and tests each time: a sixth of the CPU time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def wait_longer_for_responses() -> None:
    """Give HTTP clients without a timeout of their own a minute: a busy machine is no failure."""
    timeout = DEFAULT_TIMEOUT_CONFIG
    timeout.connect = timeout.read = timeout.write = timeout.pool = 60.0
