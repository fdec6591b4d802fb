"""The steps of a verification, in order, so that a refusal can be explained.

A sender gets the same response to every refusal and learns nothing from it. The operator who runs
`paraph explain` needs to know which step refused, and what that step would have proved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paraph.errors import PeerError


@dataclass(frozen=True, slots=True)
class VerificationStep:
    """One check of a verification.

    Args:
        name: short and stable, for output and tests.
        proves: what holds once the step has passed, as a sentence.
        refusal: the error that this step raises.
        detail: the exact detail of that error if several steps share one class. If it is empty,
            any error of the class belongs to this step.
    """

    name: str
    proves: str
    refusal: type[PeerError]
    detail: str = ""

    def refuse(self) -> PeerError:
        """Return the error of this step; only for steps with a fixed detail."""
        return self.refusal(self.detail)


def find_step(steps: Sequence[VerificationStep], error: PeerError) -> VerificationStep | None:
    """Return the step at which `error` arose; `None` if it belongs to no step."""
    for step in steps:
        # The class is compared exactly: StaleTimestamp is a DeliveryRejected too.
        if type(error) is step.refusal and step.detail in ("", error.detail):
            return step
    return None
