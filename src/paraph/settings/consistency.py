"""Checks settings together: each may be valid alone, and wrong beside the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from paraph.settings.model import Settings, Written

_WIDER = (":admin", ":master")
# Scopes with these prefixes exist in both forms, classic (`meeting:read`) and granular.
_WITH_ADMIN_FORM = ("user:", "meeting:", "webinar:", "recording:", "cloud_recording:")
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - Nothing is bound here.
# The service's own pages: a host's page at one of these URLs would cause a redirect loop.
_OWN_PATHS = frozenset({"/install", "/installed", "/marketplace", "/oauth/redirect", "/webhook"})


def never_granted(scopes: Iterable[str], *, level: Literal["user", "account"]) -> Iterator[str]:
    """Yield one sentence about each required scope that can never be granted.

    An app that its users add has only user scopes, one that an administrator adds has only `:admin`
    forms, and Zoom refuses a mixture. Only certain cases are reported: scopes of families with an
    `:admin` form. Others, such as `zoomapp:inmeeting` and `imchat:bot`, may be granted at any
    level.

    Args:
        scopes: names of scopes.
        level: the setting `level`.
    """
    for scope in sorted(scopes):
        if level == "user" and scope.endswith(_WIDER):
            plain = scope.rpartition(":")[0]
            yield (
                f"required_scopes names {scope}, which Zoom never grants to an app that its users "
                f'add: write {plain}, or set level = "account"'
            )
        elif (
            level == "account" and scope.startswith(_WITH_ADMIN_FORM) and not scope.endswith(_WIDER)
        ):
            yield (
                f"required_scopes names {scope}, which Zoom never grants to an app that an "
                f'administrator adds: write {scope}:admin, or set level = "user"'
            )


def contradictions(settings: Settings, written: Written) -> list[str]:
    """List the problems of settings that are valid alone and not together."""
    problems = []
    if settings.forward_url and not settings.forward_secrets:
        problems.append("forward_secrets is missing: forwarded events are always signed")
    if _is_own_page(settings, settings.forward_url):
        problems.append("forward_url is a page of the service itself; it must be one of the host")
    if settings.forward_secrets and not settings.forward_url:
        problems.append("forward_url is missing: without it forward_secrets has no effect")
    for name in ("start_url", "link_url"):
        value: str = getattr(written, name)
        if settings.linking == "none" and value:
            problems.append(f'{name} is set, and linking = "none" links nothing: remove one')
        if _is_own_page(settings, value):
            problems.append(f"{name} is a page of the service itself; it must be one of the host")
    if settings.operator_url and settings.operator_url == settings.public_origin:
        problems.append("operator_url is public_url: the operator pages are not for the public")
    if _overlap(settings.public_bind, settings.private_bind):
        problems.append("public_bind and private_bind must differ: the private side is not public")
    return problems


def _overlap(one: tuple[str, int], other: tuple[str, int]) -> bool:
    """Return True if two listeners cannot be open at the same time."""
    hosts = {one[0], other[0]}
    if one[1] != other[1] or not one[1]:
        return False
    if len(hosts) == 1 or (hosts <= _THIS_MACHINE and "localhost" in hosts):
        return True
    is_ipv6 = {":" in host for host in hosts}
    return bool(hosts & _EVERY_ADDRESS) and (len(is_ipv6) == 1 or "localhost" in hosts)


def _is_own_page(settings: Settings, url: str) -> bool:
    own = {f"{settings.public_url}{one}" for one in _OWN_PATHS}
    return bool(settings.public_url) and url.partition("?")[0].rstrip("/") in own


def shared_secrets(written: Written) -> list[str]:
    """List secrets with two roles: the holder in one role could act in the other."""
    lists = {
        name: list(value)
        for name in type(written).model_fields
        if isinstance(value := getattr(written, name), list)
    }
    problems = [
        f"{name}[{place}] repeats {name}[{entries.index(one)}]: remove it"
        for name, entries in lists.items()
        for place, one in enumerate(entries)
        if one and entries.index(one) < place
    ]
    roles = (
        {written.client_id},
        {written.client_secret},
        set(written.webhook_secrets),
        set(written.forward_secrets),
    )
    everything = [one for role in roles for one in role if one]
    if len(set(everything)) < len(everything):
        problems.append(
            "client_id, client_secret, webhook_secrets and forward_secrets must all differ: give "
            "each its own value"
        )
    return problems
