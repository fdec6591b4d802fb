"""The installed packages that paraph uses, as a CycloneDX document."""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def installed_packages(root: str = "paraph") -> list[Distribution]:
    """Return the package and every installed one that it requires, extras included, by name."""
    found: dict[str, Distribution] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        key = _normal(name)
        if key in found:
            continue
        try:
            found[key] = distribution(name)
        except PackageNotFoundError:
            continue
        waiting += [match[0] for one in found[key].requires or [] if (match := _NAME.match(one))]
    return [found[key] for key in sorted(found)]


def cyclonedx(packages: list[Distribution], *, made_at: str) -> str:
    """Return a CycloneDX 1.5 document in JSON; the first entry of metadata is paraph itself.

    Args:
        packages: from `installed_packages`.
        made_at: UTC in ISO 8601.
    """
    components = [_component(one) for one in packages]
    own = [one for one in components if one["name"] == "paraph"]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"timestamp": made_at, "component": own[0] if own else {}},
        "components": [one for one in components if one["name"] != "paraph"],
    }
    return json.dumps(document, indent=1) + "\n"


def _component(package: Distribution) -> dict[str, Any]:
    name, version = _normal(package.metadata["Name"]), package.version
    component: dict[str, Any] = {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
    }
    license_ = license_of(package)
    if license_:
        component["licenses"] = [{"license": {"name": license_}}]
    return component


def license_of(package: Distribution) -> str:
    """Return the license of a package in one line; "" if it names none."""
    fields = package.metadata
    given = [fields[one] for one in ("License-Expression", "License") if one in fields]
    text = given[0] if given else ""
    if not text or "\n" in text or len(text) > 80:
        classifiers = fields.get_all("Classifier") or []
        named = [
            one.rpartition("::")[2].strip() for one in classifiers if one.startswith("License ::")
        ]
        text = ", ".join(named)
    return text.strip()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
