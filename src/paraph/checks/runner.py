"""Runs cases: each group gets its own environment, its positive control, then its cases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from paraph.checks.cases import CASES
from paraph.checks.catalogue import SEVERITIES, Severity, catalogue
from paraph.checks.harness.case import CONTROLS, Case
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.environment import Environment
from paraph.checks.harness.http.destination import THIS_MACHINE, Reach
from paraph.checks.harness.impersonation import demand_possible
from paraph.checks.harness.masking import mask, printable
from paraph.checks.harness.ownership import demand_ownership
from paraph.checks.preflight import preflight
from paraph.checks.schedule import Schedule
from paraph.checks.target import Target, Variant
from paraph.checks.verdict import CaseEndedError, Finding, Verdict
from paraph.errors import ConfigurationError

Told = Callable[[Finding], None]


@dataclass(slots=True)
class Run:
    """The findings of a run.

    Attributes:
        file: the path of the target file.
        framework: the app's web framework, for advice with code; "" if it is not known.
        since: the start of the earlier run that the findings are compared with.
        notes: lines about the run itself, such as entries of the baseline that are over.
    """

    target: str
    started_at: str
    findings: list[Finding] = field(default_factory=list)
    profile: str = "web"
    file: str = ""
    seconds: float = 0.0
    framework: str = ""
    since: str = ""
    notes: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, int]:
        """Count the findings of each verdict."""
        return {one.value: sum(f.verdict is one for f in self.findings) for one in Verdict}

    def exit_code(self, fail_on: Severity = "low") -> int:
        """The exit code: 1 if a case fails, else 3 if one is inconclusive, else 0.

        Args:
            fail_on: the lowest severity that counts. Findings that the baseline excuses do not
                count either.
        """
        heavy = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
        counted = [one for one in self.findings if one.severity in heavy]
        if any(one.counts(Verdict.FAIL) for one in counted):
            return 1
        unknown = any(one.counts(Verdict.INCONCLUSIVE) for one in counted)
        return 3 if unknown or not self.findings else 0


def select(
    only: Sequence[str] = (), groups: Sequence[str] = (), severities: Sequence[str] = ()
) -> list[str]:
    """Select case ids in the catalogue's order; an empty argument selects all.

    Args:
        only: ids, patterns such as `cb-*`, or names of severities.
        groups: names of groups.
        severities: names of severities.
    """
    from fnmatch import fnmatch

    return [
        entry.id
        for entry in catalogue().values()
        if (not only or any(fnmatch(entry.id, one) or one == entry.severity for one in only))
        and (not groups or entry.group in groups)
        and (not severities or entry.severity in severities)
    ]


def run(target: Target, ids: Sequence[str], *, jobs: int = 1, told: Told) -> Run:
    """Run cases against a target.

    Args:
        target: the app.
        ids: the cases to run.
        jobs: the number of copies of the app that run at the same time, if the check starts it.
        told: called with each finding as soon as it is known.

    Returns the findings in the catalogue's order.

    Raises:
        PreflightError: the app does not work as its target file says; no case was run.
        ConfigurationError: the target is on another machine without a proof of ownership, or this
            machine does not support impersonation.
    """
    reach = demand_ownership(target)
    _demand_support(target)
    result = Run(target.name, instant(), profile=target.profile)
    if not ids:
        return result
    begun = time.monotonic()
    tried = _tried(target, ids, reach)
    # One worker begins with the environment of the preflight.
    open_ones = iter([tried])
    schedule = Schedule(ids)
    # A running app is configured for one Zoom, and one address has one Zoom.
    is_single = target.impersonate or target.zoom.port or not target.is_started_here
    workers = 1 if is_single else jobs

    def work(halted: threading.Event) -> None:
        while not halted.is_set() and (share := schedule.next_share()) is not None:
            found = run_group(
                target,
                share.group,
                share,
                told,
                halted=halted,
                reach=reach,
                opened=next(open_ones, None),
                joins=not share.is_first,
            )
            result.findings.extend(found)

    with closing(tried), ThreadPoolExecutor(workers) as pool, _until_left() as halted:
        for done in [pool.submit(work, halted) for _ in range(workers)]:
            done.result()
    order = {one: number for number, one in enumerate(catalogue())}
    result.findings.sort(key=lambda one: order[one.id])
    result.seconds = time.monotonic() - begun
    return result


def _demand_support(target: Target) -> None:
    """Check that this machine can run the target.

    Raises:
        ConfigurationError: it cannot.
    """
    if target.impersonate:
        if not target.is_started_here:
            raise ConfigurationError(
                ["--impersonate is for apps that the check starts itself"],
                remedy="Name the app's command in [start] of the target file.",
            )
        demand_possible()


def _tried(target: Target, ids: Sequence[str], reach: Reach) -> Environment:
    """Return an environment in which the preflight has succeeded; it is open."""
    try:
        environment = Environment(target, reach=reach)
    except OSError as error:
        raise ConfigurationError(
            [f"the simulated Zoom cannot listen on port {target.zoom.port}: {error.strerror}"],
            remedy="Stop the program that uses this port, or change `port` in [zoom].",
        ) from None
    try:
        preflight(environment, ids)
    except BaseException:
        environment.close()
        raise
    return environment


@contextmanager
def _until_left() -> Iterator[threading.Event]:
    """Yield an event that is set when the block ends, on Ctrl-C too, so that groups stop soon."""
    halted = threading.Event()
    try:
        yield halted
    finally:
        halted.set()


def run_group(
    target: Target,
    group: str,
    ids: Iterable[str],
    told: Told,
    overlay: Variant | None = None,
    *,
    halted: threading.Event | None = None,
    reach: Reach = THIS_MACHINE,
    opened: Environment | None = None,
    joins: bool = False,
) -> list[Finding]:
    """Run the control of one group, then its cases, in its own environment.

    Args:
        target: the app.
        group: the group.
        ids: its cases; each one is taken when it begins.
        told: called with each finding as soon as it is known.
        overlay: settings for every start, such as the switches of the self-test.
        halted: if set, no further case begins.
        reach: the allowed destinations of requests.
        opened: the environment, if it is open already; it is closed at the end.
        joins: another environment runs cases of the group, too. It takes all of them if this one
            does not open or fails the control.
    """
    waiting = iter(ids)
    findings: list[Finding] = []

    def note(finding: Finding) -> None:
        findings.append(finding)
        told(finding)

    try:
        with opened or Environment(target, overlay, reach=reach) as environment:
            failed = group_control(environment, group)
            if failed and joins:
                return findings
            while not (halted is not None and halted.is_set()) and (one := next(waiting, None)):
                number = len(findings) + 1
                note(
                    failed_by_control(one, failed) if failed else run_case(environment, one, number)
                )
    except CaseEndedError as ended:
        if not joins:
            for one in waiting:
                note(_finding(one, Verdict.INCONCLUSIVE, ended.reason))
    return findings


def failed_by_control(name: str, control: Finding) -> Finding:
    """Return the finding of a case whose group's control failed."""
    finding = _finding(name, Verdict.INCONCLUSIVE, f"the group's control failed: {control.reason}")
    finding.evidence = control.evidence[-3:]
    if control.verdict is Verdict.NOT_APPLICABLE:
        finding.verdict, finding.reason = control.verdict, control.reason
    return finding


def group_control(environment: Environment, group: str) -> Finding | None:
    """Run the control of a group; return None, or the finding if it failed."""
    act = CONTROLS.get(group)
    if act is None:
        return None
    finding = _run_act(environment, Case(group, act), group, "high", 0)
    return None if finding.verdict is Verdict.PASS else finding


def run_case(environment: Environment, name: str, number: int) -> Finding:
    """Run one case, then reset the environment; `number` sets the source addresses of the case."""
    entry = catalogue()[name]
    try:
        with _reset_around(environment):
            finding = _run_act(environment, CASES[name], entry.group, entry.severity, number)
    except CaseEndedError as ended:
        # This case has its verdict; if the reset failed, the next case reports it.
        finding.reason = finding.reason or f"afterwards: {ended.reason}"
    return finding


@contextmanager
def _reset_around(environment: Environment) -> Iterator[None]:
    environment.zoom.reset()
    # Requests that earlier cases lured to the attacker's server do not count for this one.
    environment.trap.hits.clear()
    try:
        yield
    finally:
        environment.zoom.reset()
        alive = environment.app is not None and environment.app.alive
        if environment.target.is_started_here and (
            environment.variant or not alive or environment.offset
        ):
            environment.offset = 0.0
            _restart(environment)


def _restart(environment: Environment) -> None:
    try:
        environment.restart()
    except CaseEndedError:
        # Some changes cannot be undone, such as retired encryption keys.
        environment.renew()


def _run_act(
    environment: Environment, known: Case, group: str, severity: str, number: int
) -> Finding:
    finding = Finding(known.id, group, severity, Verdict.PASS)
    begun = time.monotonic()
    context: CaseContext | None = None
    try:
        context = CaseContext(environment, number)
        if known.variant:
            environment.restart(known.variant)
        finding.reason = known.act(context) or ""
    except CaseEndedError as ended:
        finding.verdict, finding.reason = ended.verdict, ended.reason
        app = environment.app
        if ended.verdict is Verdict.INCONCLUSIVE and app is not None and not app.alive:
            finding.reason = f"the app ended with status {app.exit_status}; {ended.reason}"
    except Exception as error:  # noqa: BLE001 - A bug of the check must not look like a verdict.
        finding.verdict = Verdict.INCONCLUSIVE
        finding.reason = f"the check itself failed: {type(error).__name__}: {error}"
    finding.seconds = round(time.monotonic() - begun, 3)
    if context is not None:
        finding.evidence = [mask(one, environment.zoom.secrets()) for one in context.evidence()]
        finding.reason = printable(mask(finding.reason, environment.zoom.secrets()))
        context.close()
    return finding


def _finding(name: str, verdict: Verdict, reason: str) -> Finding:
    entry = catalogue()[name]
    return Finding(name, entry.group, entry.severity, verdict, printable(reason))


def instant() -> str:
    """Return the current time in the format of the reports."""
    return datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
