"""Three sound set-ups, as facts, and functions that spoil one part of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from paraph.operations.findings.examination import Examination, examine
from paraph.operations.probes.facts import (
    Arrival,
    ClockFacts,
    DatabaseFacts,
    Facts,
    FileFacts,
    LiveAnswer,
    ManifestFacts,
    NameFacts,
    ProxyFacts,
    TlsFacts,
)
from paraph.settings.loading import inspect_settings
from paraph.zoom.manifest import build_manifest, parse_manifest
from private_file import write_private

NOW = 1_790_000_000
KEY = "aabbccdd:" + "yydUmWHGJK8r1VJW3MFiSmuz9qfJi6STF7zwMPtnu44"
ORIGIN = "https://zoom.tidemark.example"
VALUES: Mapping[str, Any] = {
    "client_id": "AbCdEf123456xyz",
    "client_secret": "kF93-2bXq0-Zr8sLpW",
    "webhook_secrets": ["hN71_0cYwe-Ty6dRmVq"],
    "public_url": ORIGIN,
    "encryption_keys": [KEY],
    "required_scopes": ["user:read:user"],
    "trusted_proxies": ["10.1.2.0/24"],
    "linking": "none",
}
LOCAL = {**VALUES, "public_url": "http://127.0.0.1:8000", "trusted_proxies": []}
LARGE = {
    **VALUES,
    "database_url": "postgresql://paraph@db.example/paraph?sslmode=verify-full&sslrootcert=system",
    "receipts_folder": "/srv/receipts",
    "level": "account",
    "required_scopes": ["user:read:user:admin"],
    "linking": "host",
    "start_url": "https://tidemark.example/start",
    "link_url": "https://tidemark.example/link",
}


def manifest_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest that `paraph init` writes for these settings."""
    return build_manifest(
        name="Tidemark",
        level="account" if values.get("level") == "account" else "user",
        public_url=values["public_url"],
        scopes=values["required_scopes"],
        event_types=["meeting.ended"],
    )


def facts_of(folder: Path, values: Mapping[str, Any], *, file_mode: int = 0o600) -> Facts:
    """Facts of a machine on which nothing but these settings may be wrong."""
    file = folder / "paraph.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    write_private(file, "\n".join(lines))
    file.chmod(file_mode)
    inspected = inspect_settings(file)
    public = str(values.get("public_url", "")).startswith("https://")
    headers = {"x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "https"}
    host = ORIGIN.partition("://")[2]
    return Facts(
        now=NOW,
        settings_file="paraph.toml",
        settings_problems=inspected.problems,
        settings=inspected.settings,
        files=(FileFacts("paraph.toml", "settings", in_repository=True, ignored=True),),
        database=DatabaseFacts(sealing_key="aabbccdd", pooler="transaction"),
        clock=ClockFacts(skew=1),
        name=NameFacts(host, ("203.0.112.9",)) if public else None,
        tls=TlsFacts(ORIGIN, version="TLSv1.3", expires_at=NOW + 60 * 86400) if public else None,
        proxy=ProxyFacts(
            arrival=Arrival("10.1.2.3", host, headers),
            plain_status=308,
            plain_location=f"{ORIGIN}/healthz",
        )
        if public
        else None,
        manifest=manifest_facts(manifest_of(values)) if public else None,
        live=(
            LiveAnswer("second-redirect", refused=False, status=302),
            LiveAnswer("other-redirect", refused=True, status=400, error="invalid_grant"),
            LiveAnswer("needless-verifier", refused=True, status=400, error="invalid_grant"),
        ),
    )


def manifest_facts(content: Mapping[str, Any]) -> ManifestFacts:
    """A manifest, as it is read from a file."""
    manifest = parse_manifest(json.dumps(content).encode())
    return ManifestFacts("manifest.json", manifest=manifest)


def spoilt_manifest(facts: Facts, path: str, value: Any) -> Facts:
    """Set one member of the manifest; the path has dots and numbers."""
    content = copy.deepcopy(manifest_of(VALUES))
    *parents, last = path.split(".")
    place: Any = content
    for one in parents:
        place = place[int(one)] if isinstance(place, list) else place[one]
    if isinstance(place, list):
        place[int(last)] = value
    elif last == "oauth_information":
        place[last].update(value)
    else:
        place[last] = value
    return replace(facts, manifest=manifest_facts(content))


def rules_of(examination: Examination) -> list[str]:
    """The rules of all findings."""
    return [one.rule for one in examination.findings]


def examined(facts: Facts) -> Examination:
    """Apply every rule."""
    return examine(facts)
