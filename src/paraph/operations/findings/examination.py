"""Applies every rule to the facts, the worst findings first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from paraph.operations.findings.app_rules import live_findings, manifest_findings
from paraph.operations.findings.database_rules import database_findings
from paraph.operations.findings.file_rules import file_findings
from paraph.operations.findings.network_rules import (
    clock_findings,
    key_log_findings,
    name_findings,
    proxy_findings,
    tls_findings,
)
from paraph.operations.findings.rule import SEVERITIES, Finding
from paraph.operations.findings.setting_rules import setting_findings
from paraph.operations.probes.collecting import Sources, Wanted, collect
from paraph.operations.probes.facts import Facts, NotChecked
from paraph.settings.loading import Inspected
from paraph.settings.model import Settings, Written


@dataclass(frozen=True, slots=True)
class Examination:
    """The findings about a set-up, and the parts that were not checked."""

    findings: tuple[Finding, ...]
    not_checked: tuple[NotChecked, ...]
    checked_at: int

    @property
    def exit_code(self) -> int:
        """Return 1 with findings, 3 if a part could not be checked, else 0."""
        if self.findings:
            return 1
        return 3 if any(one.asked_for for one in self.not_checked) else 0

    def summary(self) -> dict[str, int]:
        """Count the findings of each severity."""
        return {
            severity: sum(one.severity == severity for one in self.findings)
            for severity in SEVERITIES
        }


async def examine_running(settings: Settings, sources: Sources, *, network: bool) -> Examination:
    """Examine a running service; files that only its settings file names are not looked at.

    Args:
        settings: its settings.
        sources: clock and randomness.
        network: also ask Zoom for its time, and look at the public URL.
    """
    inspected = Inspected(settings, Written(database_url=settings.database_url), ())
    return examine(await collect(inspected, Wanted(network=network), sources))


def examine(facts: Facts, written: Written | None = None) -> Examination:
    """Apply every rule.

    Args:
        facts: what the probes have read.
        written: the settings as written; the manifest is compared with them if they have problems.
    """
    found: dict[tuple[str, str], Finding] = {}
    for one in _all_findings(facts, written):
        # The settings' own checks and those of files may see the same thing.
        found.setdefault((one.rule, one.place), one)
    worst_first = sorted(found.values(), key=lambda one: SEVERITIES.index(one.severity))
    return Examination(tuple(worst_first), facts.not_checked, facts.now)


def _all_findings(facts: Facts, written: Written | None) -> Iterator[Finding]:
    settings = facts.settings
    # Files first: their findings say more than the settings' own ones.
    for file in facts.files:
        yield from file_findings(file)
    yield from setting_findings(facts)
    if facts.database is not None:
        yield from database_findings(facts.database, settings)
    if facts.clock is not None:
        yield from clock_findings(facts.clock, settings)
    yield from key_log_findings(facts.tls_key_log)
    if facts.name is not None:
        yield from name_findings(facts.name)
    if facts.tls is not None:
        yield from tls_findings(facts.tls, facts.now)
    if facts.proxy is not None:
        yield from proxy_findings(facts.proxy, settings)
    if facts.manifest is not None:
        yield from manifest_findings(facts.manifest, settings or written)
    for answer in facts.live:
        yield from live_findings(answer)
