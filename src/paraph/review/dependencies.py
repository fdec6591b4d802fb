"""The installed packages that paraph uses, as a CycloneDX document."""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

# A requirement (PEP 508): its name, the extras that it asks for, and the extra that asks for it.
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""\bextra\s*==\s*["']([^"']+)["']""")


def installed_packages(root: str = "paraph") -> list[Distribution]:
    """Return the package and every installed one that it requires, by name.

    Of the package itself every extra counts, and of the others those that are asked for: what
    happens to be installed for their own development does not belong to it.
    """
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(root, "")]
    try:
        extras = distribution(root).metadata.get_all("Provides-Extra") or []
        waiting += [(root, _normal(one)) for one in extras]
    except PackageNotFoundError:
        return []
    while waiting:
        name, extra = waiting.pop()
        if (_normal(name), extra) in seen:
            continue
        seen.add((_normal(name), extra))
        try:
            package = found.setdefault(_normal(name), distribution(name))
        except PackageNotFoundError:
            continue
        for one in package.requires or []:
            match = _NAME.match(one)
            wanted = _EXTRA.search(one)
            if match and _normal(wanted[1] if wanted else "") in {"", extra}:
                asked = [_normal(e.strip()) for e in (match[2] or "").split(",") if e.strip()]
                waiting += [(match[1], e) for e in ("", *asked)]
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
