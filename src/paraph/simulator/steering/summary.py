"""Summarizes exchanges for a list: the request, its error, and what Zoom only tolerated.

A summary contains no secret.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from paraph.simulator.state.journal import Exchange
from paraph.simulator.steering.mask import mask_text

_LONGEST = 140
_HEADING = re.compile(rb"<h1>([^<]+)</h1>")
_TOKEN_PATHS = {"/oauth/token", "/oauth/revoke"}
_CARRIED = ("code", "code_verifier", "refresh_token", "token")

Pairs = Sequence[Sequence[str]]


def summarize(exchange: Exchange) -> str:
    """Summarize a request, and its error if there was one."""
    entry = exchange.entry
    given = {**_named(entry["query"]), **_named(entry["form"])}
    words = []
    if entry["path"] == "/oauth/authorize" and entry["method"] == "GET":
        words += ["state" if given.get("state") else "no state", _pkce(given)]
    elif entry["path"] in _TOKEN_PATHS and "grant_type" in given:
        words.append(given["grant_type"])
    if entry["status"] >= HTTPStatus.BAD_REQUEST:
        words.append(_error(exchange.response_body))
    return mask_text(" · ".join(filter(None, words)))[:_LONGEST]


def tolerated(exchange: Exchange) -> Sequence[str]:
    """List the parts of a request that Zoom accepted against the standard or its own advice."""
    entry = exchange.entry
    query, form = _named(entry["query"]), _named(entry["form"])
    if entry["path"] == "/oauth/authorize" and "scope" in query:
        return ["scope is ignored"]
    if entry["path"] not in _TOKEN_PATHS:
        return []
    found = []
    if "client_secret" in query:
        found.append("client secret in the URL")
    found += [f"{name} in the URL" for name in _CARRIED if name in query]
    if "client_secret" in form:
        found.append("client secret in the body")
    return found


def _pkce(query: Mapping[str, str]) -> str:
    if not query.get("code_challenge"):
        return "no PKCE"
    return f"PKCE {query.get('code_challenge_method', 'plain')}"


def _error(body: bytes) -> str:
    """Return the error text in either of Zoom's formats, or the heading of its page."""
    heading = _HEADING.search(body)
    if heading is not None:
        return html.unescape(heading[1].decode("utf-8", "replace"))
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(content, dict):
        return ""
    names = ("error", "code", "errorCode", "reason", "message", "errorMessage")
    return " ".join(str(content[name]) for name in names if name in content)


def _named(pairs: Pairs) -> dict[str, str]:
    return {pair[0]: pair[1] for pair in pairs}
