"""Faults of the URL-validation challenge. They apply after the faults of webhooks."""

from __future__ import annotations

from paraph.simulator.faults.webhook import webhook_unsigned
from paraph.simulator.state.fault_registry import check, fault
from paraph.simulator.webhooks.delivery import Delivery

check("challenge_answer_ignored", "Any response with status 200 or 204 passes the URL validation.")


@fault("challenge")
def challenge_unsigned(delivery: Delivery) -> None:
    """The URL-validation challenge has no signature."""
    webhook_unsigned(delivery)


@fault("challenge")
def challenge_oracle(delivery: Delivery) -> None:
    """The token is the text that the signature of a forged removal would sign."""
    event = '{"event":"app_deauthorized","event_ts":0,"payload":{}}'
    delivery.change(payload={"plainToken": f"v0:{delivery.timestamp}:{event}"})


@fault("challenge")
def challenge_token_odd(delivery: Delivery, *, token: str = "<b>\r\n: 1") -> None:
    """The token is `token`."""
    delivery.change(payload={"plainToken": token})


@fault("challenge")
def challenge_token_number(delivery: Delivery) -> None:
    """The token is a number."""
    delivery.change(payload={"plainToken": 4_711})


@fault("challenge")
def challenge_without_token(delivery: Delivery) -> None:
    """There is no plainToken."""
    delivery.change(payload={})
