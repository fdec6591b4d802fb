"""Settings of a test process for a busy machine; `conftest.py` makes them before any test."""

from __future__ import annotations

import gc
import os
import ssl
from functools import cache
from typing import Any

import certifi
from httpx._config import DEFAULT_TIMEOUT_CONFIG


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
