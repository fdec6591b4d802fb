"""Whose app it is: off this machine, nothing is attacked without a proof of ownership.

The proof is a file that the target serves: only whoever may put files there can start a check.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urljoin, urlsplit

from paraph.checks.browser import Sender
from paraph.checks.target import Target
from paraph.errors import ConfigurationError

PROOF_PATH = "/.well-known/paraph-check.txt"
_MINIMUM = 16


def is_loopback(url: str) -> bool:
    """Whether a URL can only mean this machine. A path or a placeholder's port does."""
    host = urlsplit(url.replace("{port", "1{")).hostname if "://" in url else "localhost"
    if host is None or host == "localhost":
        return host is not None
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def demand_ownership(target: Target) -> None:
    """Refuse a target elsewhere whose file does not say that it is the caller's."""
    urls = target.urls
    named = [urls.base, urls.start, urls.redirect, urls.marketplace, urls.webhook, urls.plain]
    named += [urls.second_start, urls.second_redirect, *urls.more_origins]
    named += [*urls.pages, *urls.private_pages]
    for hook in (getattr(target.hooks, name) for name in target.hooks.__struct_fields__):
        url = getattr(hook, "url", "")
        named += [] if url.startswith("{") else [url]
    elsewhere = {one for one in named if one and not is_loopback(one)}
    origins = {"{0.scheme}://{0.netloc}".format(urlsplit(one)) for one in elsewhere}
    problems = [problem for origin in sorted(origins) if (problem := _missing(origin, target))]
    if problems:
        raise ConfigurationError(
            problems, remedy="Serve your ownership_token there, or attack the app on loopback."
        )


def _missing(origin: str, target: Target) -> str:
    if len(target.ownership_token) < _MINIMUM:
        return f"{origin} is not this machine, and ownership_token has under {_MINIMUM} characters"
    sender = Sender("", lambda _answer: None)
    try:
        answer = sender.send("GET", urljoin(origin, PROOF_PATH))
    finally:
        sender.close()
    if answer.status == 200 and answer.text.strip() == target.ownership_token:
        return ""
    return f"{origin}{PROOF_PATH} does not serve the ownership_token"
