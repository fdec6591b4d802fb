"""Finding the step of a verification at which an error arose."""

from paraph.errors import DeliveryRejected, StaleTimestamp
from paraph.zoom.verification_steps import VerificationStep, find_step

SHARED = VerificationStep("shared", "It holds.", DeliveryRejected, "one of several")
ALONE = VerificationStep("alone", "It holds too.", StaleTimestamp)


def test_a_step_refuses_with_its_own_words() -> None:
    """The error of a step is of its class and has its detail."""
    error = SHARED.refuse()
    assert (DeliveryRejected, "one of several") == (type(error), error.detail)


def test_a_step_that_owns_its_class_owns_every_detail() -> None:
    """Without a fixed detail the class alone decides."""
    assert find_step([SHARED, ALONE], StaleTimestamp("9 s too old")) is ALONE


def test_a_subclass_is_another_error() -> None:
    """StaleTimestamp is a DeliveryRejected too, and must not be taken for one."""
    assert find_step([SHARED], StaleTimestamp("one of several")) is None
