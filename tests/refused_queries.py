"""Queries that the service and `paraph.installs` refuse alike."""

from __future__ import annotations

STATE = "A" * 43
REFUSED = [
    ("forged state", f"code=abc&state={STATE}"),
    ("empty state", "code=abc&state="),
    ("state without value", "code=abc&state"),
    ("the word undefined", "code=abc&state=undefined"),
    ("error with forged state", f"error=access_denied&state={STATE}"),
    ("error without state", "error=access_denied"),
    ("error and code", f"error=x&code=abc&state={STATE}"),
    ("two codes", f"code=a&code=b&state={STATE}"),
    ("two states", f"code=a&state={STATE}&state={STATE}"),
    ("encoded repetition", f"code=a&%63ode=b&state={STATE}"),
    ("NUL", f"code=a%00b&state={STATE}"),
    ("line end", f"code=a%0d%0aSet-Cookie:x=1&state={STATE}"),
    ("broken percent", f"code=%zz&state={STATE}"),
    ("overlong UTF-8", f"code=%c0%af&state={STATE}"),
    ("emoji", f"code=%f0%9f%8e%89&state={STATE}"),
    ("long state", f"code=a&state={'s' * 2000}"),
    ("long query", f"code=a&state={STATE}&x={'y' * 5000}"),
    ("many parameters", f"code=a&state={STATE}" + "&p=1" * 2000),
]
