"""The FastAPI dependency that requires the caller's API key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request

from paraph.lifecycle.api_key import ApiKey

ApiKeyDependency = Callable[[Request], Awaitable[ApiKey]]
