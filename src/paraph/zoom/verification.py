"""The steps of a verification, in order, so that a refusal can be explained.

A face answers every refusal alike and learns nothing; the operator who runs `paraph explain`
wants to hear which step refused, and what that step would have proved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paraph.errors import PeerError


@dataclass(frozen=True, slots=True)
class VerificationStep:
    """One thing that is checked.

    Args:
        name: short and stable, for output and tests.
        proves: what holds once the step has passed, as a sentence.
        refusal: the error that this step raises.
        detail: the exact detail of that error where several steps share one class,
            else empty: then any error of the class is this step's.
    """

    name: str
    proves: str
    refusal: type[PeerError]
    detail: str = ""

    def refuse(self) -> PeerError:
        """The error of this step, for those whose detail is fixed."""
        return self.refusal(self.detail)


def find_step(steps: Sequence[VerificationStep], error: PeerError) -> VerificationStep | None:
    """The step at which `error` arose, or None when it is none of these steps' error."""
    for step in steps:
        # The class is compared exactly: StaleTimestamp is a DeliveryRejected too.
        if type(error) is step.refusal and step.detail in ("", error.detail):
            return step
    return None
