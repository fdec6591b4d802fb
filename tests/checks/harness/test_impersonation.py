"""An app with Zoom's addresses in its code is checked unmodified."""

from __future__ import annotations

from pathlib import Path

from paraph.checks.harness.impersonation import demand_possible
from paraph.checks.runner import run
from paraph.checks.target import Start, Target, Urls
from paraph.checks.verdict import Verdict
from paraph.errors import ConfigurationError
from programs import skip_test

APP = str(Path(__file__).parent / "hard_coded_app.py")


def test_zoom_is_the_simulator_for_that_process_alone() -> None:
    """The app installs through the simulator, and the check finds that it uses no state."""
    try:
        demand_possible()
    except ConfigurationError as error:
        skip_test("; ".join(error.problems))
    target = Target(
        name="hard-coded",
        start=Start(command=["{python}", APP, "{port}", "{client_id}", "{client_secret}"]),
        urls=Urls(start="/install", redirect="/cb"),
        impersonate=True,
    )
    found = run(target, ["cb-state-missing", "tok-client-auth"], told=lambda _finding: None)
    assert {"cb-state-missing": Verdict.FAIL, "tok-client-auth": Verdict.PASS} == {
        one.id: one.verdict for one in found.findings
    }, found.findings
