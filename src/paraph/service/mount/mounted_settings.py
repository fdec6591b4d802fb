"""The settings of a service inside another application, and the application's own URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from paraph.errors import ConfigurationError, UsageError
from paraph.service.mount.signed_in import HostSide
from paraph.settings.loading import LINK_PATH, START_PATH, Mount, load_settings
from paraph.settings.model import Settings
from paraph.settings.validation import PLAIN_PATH, SettingChecks, is_plain_path

# A second slash, or a backslash that browsers read as one, would begin the name of another host.
_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9._~/?&=;:@!$'()*+,%-]*")


def mounted_settings(
    settings: Settings | None,
    file: Path | str | None,
    keywords: Mapping[str, object],
    *,
    prefix: str,
    host: HostSide,
) -> Settings:
    """Return the checked settings of a service at its place inside an application.

    Args:
        settings: checked settings, without a place.
        file: the settings file, instead of `settings`.
        keywords: settings by their names, instead of `settings`.
        prefix: the path below which its URLs stand.
        host: the application.

    Raises:
        ConfigurationError: it names every problem.
        UsageError: a keyword is not a setting, or settings are given twice.
    """
    problems = host_problems(host)
    has_pages = host.subject_of is not None
    if settings is not None:
        if file is not None or keywords:
            raise UsageError(
                "Zoom() got settings, and a file or keywords as well",
                remedy="Give one of them: keywords win over the file, settings are complete.",
            )
        problems += _place_problems(settings, prefix, has_pages=has_pages)
        found = _placed(settings, prefix, has_pages=has_pages)
    else:
        try:
            path = None if file is None else Path(file)
            found = load_settings(path, keywords, mount=Mount(prefix, has_pages))
        except ConfigurationError as error:
            raise ConfigurationError([*error.problems, *problems]) from None
    if not has_pages and found.linking == "host" and host.after_install:
        problems.append(
            "after_install has no effect without subject_of: your own link_url ends the flow"
        )
    if problems:
        raise ConfigurationError(problems)
    return found


def host_problems(host: HostSide) -> list[str]:
    """List the problems of the application's own URLs. Nothing of a request gets into them."""
    problems = []
    for name in ("sign_in_url", "after_install", "after_failure"):
        value: str = getattr(host, name)
        if not value or _PATH.fullmatch(value):
            continue
        if urlsplit(value).scheme in {"http", "https"}:
            checks = SettingChecks()
            checks.url(name, value)
            problems += checks.problems
        else:
            problems.append(f"{name} must be a path like /settings, or an https URL")
    if host.subject_of is None:
        problems += [
            f"{name} has no effect without subject_of: remove it, or give subject_of"
            for name in ("label_of", "sign_in_url")
            if getattr(host, name)
        ]
    return problems


def _place_problems(settings: Settings, prefix: str, *, has_pages: bool) -> list[str]:
    problems = []
    if prefix and not is_plain_path(prefix):
        problems.append(f"prefix cannot be used: write {PLAIN_PATH}")
    if has_pages and settings.linking == "none":
        problems.append('subject_of is given, and linking = "none" links nothing')
    return problems


def _placed(settings: Settings, prefix: str, *, has_pages: bool) -> Settings:
    public_url = f"{settings.public_url}{prefix}"
    placed = replace(settings, public_url=public_url)
    if not has_pages:
        return placed
    return replace(
        placed, start_url=f"{public_url}{START_PATH}", link_url=f"{public_url}{LINK_PATH}"
    )
