"""Runs the probes that were asked for, and notes the parts that were left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from paraph.operations.probes.database_probe import clock_facts, database_facts
from paraph.operations.probes.facts import LIVE_PART, Facts, ManifestFacts, NotChecked
from paraph.operations.probes.file_probe import file_facts
from paraph.operations.probes.live_probe import Paste, live_answers
from paraph.operations.probes.manifest_probe import manifest_at_zoom_facts, manifest_file_facts
from paraph.operations.probes.public_url_probe import name_facts, proxy_facts, tls_facts
from paraph.secret import Secret
from paraph.settings.loading import DEFAULT_FILE, Inspected
from paraph.settings.model import Settings


@dataclass(frozen=True, slots=True)
class Wanted:
    """The probes to run.

    Attributes:
        network: ask Zoom for its time, and look at the public URL.
        manifest_file: an exported manifest.
        app_id, token: fetch the manifest of this app at Zoom with a token of the team.
        proxy_logs: log files of the proxy.
        live: ask Zoom the three undocumented questions.
        paste: how a person gives the address at which a browser ended.
    """

    network: bool = True
    manifest_file: Path | None = None
    app_id: str = ""
    token: Secret = field(default_factory=lambda: Secret(""))
    proxy_logs: Sequence[str] = ()
    live: bool = False
    paste: Paste | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """Clock and randomness, as the composition root hands them out.

    Attributes:
        clock: returns epoch seconds.
        monotonic: seconds, for durations.
        token: returns a new random text of 43 or more characters.
        environment: the variables of this process.
    """

    clock: Callable[[], float]
    monotonic: Callable[[], float]
    token: Callable[[], str]
    environment: Mapping[str, str] = field(default_factory=dict)


async def collect(
    inspected: Inspected, wanted: Wanted, sources: Sources, *, file: Path | None = None
) -> Facts:
    """Run the probes. None of them changes anything.

    Args:
        inspected: the settings, with their problems.
        wanted: the probes to run.
        sources: clock and randomness.
        file: the settings file; by default `paraph.toml`.
    """
    settings, path = inspected.settings, file or DEFAULT_FILE
    facts = Facts(
        now=int(sources.clock()),
        settings_file=str(path),
        settings_problems=inspected.problems,
        settings=settings,
        files=await asyncio.to_thread(file_facts, path, inspected),
        tls_key_log=sources.environment.get("SSLKEYLOGFILE", ""),
    )
    if settings is not None:
        database = await database_facts(settings.database_url, clock=sources.clock)
        facts = replace(facts, database=database)
    facts = await _with_network(facts, wanted, sources)
    return await _with_app(facts, wanted, sources)


async def _with_network(facts: Facts, wanted: Wanted, sources: Sources) -> Facts:
    settings = facts.settings
    reason = "the settings have problems" if settings is None else "no connection was asked for"
    if settings is None or not wanted.network:
        parts = ("clock", "name, TLS and proxy of the public URL")
        return _without(facts, *(NotChecked(one, reason) for one in parts))
    clock = await clock_facts(settings, clock=sources.clock, monotonic=sources.monotonic)
    facts = replace(facts, clock=clock)
    if clock.skew is None:
        facts = _without(facts, NotChecked("clock", clock.failure, asked_for=True))
    if not settings.public_url.startswith("https://"):
        reason = "public_url is on this machine, without TLS and proxy"
        return _without(facts, NotChecked("name, TLS and proxy of the public URL", reason))
    return await _with_public_url(facts, settings, wanted, sources)


async def _with_public_url(
    facts: Facts, settings: Settings, wanted: Wanted, sources: Sources
) -> Facts:
    facts = replace(facts, name=await name_facts(settings.public_origin))
    if facts.name is None or facts.name.failure:
        return _without(facts, NotChecked("TLS and proxy", "the public host has no address"))
    if settings.outgoing.proxy_for(settings.public_url) is None:
        facts = replace(facts, tls=await tls_facts(settings.public_origin, settings.outgoing))
    else:
        facts = _without(facts, NotChecked("TLS", "outgoing_proxy stands between"))
    if facts.tls is not None and facts.tls.unanswered_versions:
        versions = " and ".join(facts.tls.unanswered_versions)
        facts = _without(facts, NotChecked(versions, "the server did not respond to them"))
    if facts.tls is not None and facts.tls.failure:
        return _without(facts, NotChecked("proxy", "there is no trusted TLS connection"))
    proxy = await proxy_facts(settings, token=sources.token, logs=wanted.proxy_logs)
    return replace(facts, proxy=proxy)


async def _with_app(facts: Facts, wanted: Wanted, sources: Sources) -> Facts:
    settings = facts.settings
    facts = replace(facts, manifest=await _manifest(settings, wanted))
    if facts.manifest is None:
        facts = _without(
            facts, NotChecked("the app at Zoom", "give --manifest FILE, or --app-id with a token")
        )
    if not wanted.live:
        reason = "give --live, with development credentials"
        return _without(facts, NotChecked(LIVE_PART, reason))
    if settings is None:
        reason = "the settings have problems"
        return _without(facts, NotChecked(LIVE_PART, reason, asked_for=True))
    live = await live_answers(settings, token=sources.token, paste=wanted.paste)
    unknown = [
        NotChecked(f"{LIVE_PART}: {one.question}", one.error, asked_for=True)
        for one in live
        if one.refused is None
    ]
    return _without(replace(facts, live=live), *unknown)


async def _manifest(settings: Settings | None, wanted: Wanted) -> ManifestFacts | None:
    if wanted.manifest_file is not None:
        return await asyncio.to_thread(manifest_file_facts, wanted.manifest_file)
    if wanted.app_id and settings is not None:
        return await manifest_at_zoom_facts(settings, wanted.app_id, wanted.token)
    return None


def _without(facts: Facts, *parts: NotChecked) -> Facts:
    return replace(facts, not_checked=(*facts.not_checked, *parts))
