"""Proof of ownership: required before the check attacks a target on another machine.

The proof is a file that the target serves, because only its owner can put files there. Every URL of
the target file is checked as it will be requested: its placeholders are filled in first. Then it is
resolved against the base of the app and of each variant. `Sender` checks every request once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urljoin

from paraph.checks.harness.http.destination import THIS_MACHINE, Reach, destination_of
from paraph.checks.harness.http.sender import Sender
from paraph.checks.target import Target, fill
from paraph.errors import ConfigurationError
from paraph.simulator.browser.browser_url import can_be_split

PROOF_PATH = "/.well-known/paraph-check.txt"
_MINIMUM = 16
_HERE = "http://127.0.0.1:{port}"
# The check fills these placeholders in itself; its own servers are on loopback.
_LOCAL_SERVER = "http://127.0.0.1:1"
_PORTS = dict.fromkeys(("port", "port2", "port3", "port4", "port5", "zoom_port"), "1")
_SAMPLES = {**_PORTS, "zoom": _LOCAL_SERVER, "trap": _LOCAL_SERVER}


def is_loopback(url: str) -> bool:
    """Return True if a URL, or a path on this machine, can only mean this machine."""
    try:
        return destination_of(_requested(fill(_HERE, _SAMPLES), url)).is_loopback
    except ValueError:
        return False


def demand_ownership(target: Target) -> Reach:
    """Determine where the check of this target may send requests.

    Raises:
        ConfigurationError: a URL is ambiguous, or its host serves no proof of ownership.
    """
    problems, elsewhere = [], set()
    for name, url in _requested_urls(target):
        try:
            destination = destination_of(url)
        except ValueError as error:
            problems.append(f"{name} does not lead to one plain place: {error}")
        else:
            elsewhere |= set() if destination.is_loopback else {destination.origin}
    if not problems:
        missing = (_missing(origin, target) for origin in sorted(elsewhere))
        problems = [problem for problem in missing if problem]
    if problems:
        raise ConfigurationError(
            list(dict.fromkeys(problems)),
            remedy="Serve your ownership_token there, or attack the app on loopback.",
        )
    return THIS_MACHINE.with_proven(elsewhere)


def _requested_urls(target: Target) -> Iterator[tuple[str, str]]:
    """Yield every URL that a check may request with its name in the target file."""
    urls, hooks = target.urls, target.hooks
    named = [
        (f"urls.{name}", str(getattr(urls, name)))
        for name in ("start", "redirect", "marketplace", "webhook", "plain")
    ]
    named += [("urls.second_start", urls.second_start)]
    named += [("urls.second_redirect", urls.second_redirect)]
    named += [("urls.more_origins", one) for one in urls.more_origins]
    named += [("urls.pages", one) for one in urls.pages]
    named += [("urls.private_pages", one) for one in urls.private_pages]
    named += [("start.ready", target.start.ready), ("zoom.redirect_uri", target.zoom.redirect_uri)]
    bases = [("urls.base", urls.base or _HERE)]
    bases += [(f"variants.{name}.base", one.base) for name, one in target.variants.items()]
    for name, base in bases:
        if not base:
            continue
        filled = fill(base, _SAMPLES)
        yield name, filled
        if not can_be_split(filled):
            # Nothing can be resolved against it.
            continue
        for place, path in named:
            if path:
                yield place, _requested(filled, path)
        for place in hooks.__struct_fields__:
            url = getattr(getattr(hooks, place), "url", "")
            if url:
                # A hook's URL is absolute once its placeholders are filled in.
                yield f"hooks.{place}", fill(url, {**_SAMPLES, "url": filled})


def _requested(base: str, path: str) -> str:
    """Resolve a path or URL as `Environment.absolute` does."""
    filled = fill(path, _SAMPLES)
    # `destination_of` says what is wrong with any other text.
    return urljoin(f"{base}/", filled) if can_be_split(filled) else filled


def _missing(origin: str, target: Target) -> str:
    if len(target.ownership_token) < _MINIMUM:
        return f"{origin} is not this machine, and ownership_token has under {_MINIMUM} characters"
    # Only the request for the proof itself may go there.
    sender = Sender("", lambda _response: None, reach=THIS_MACHINE.with_proven({origin}))
    try:
        response = sender.send("GET", urljoin(origin, PROOF_PATH))
    finally:
        sender.close()
    if response.status == 200 and response.text.strip() == target.ownership_token:
        return ""
    return f"{origin}{PROOF_PATH} does not serve the ownership_token"
