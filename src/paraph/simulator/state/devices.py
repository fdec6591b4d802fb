"""Device codes: issued, polled, entered by a person, exchanged once (RFC 8628)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.clock import Clock

EXPIRES_IN = 900
INTERVAL = 5
_MAX_CODES = 10_000

Decision = Literal["pending", "allowed", "denied"]
PollResult = Literal[
    "allowed", "authorization_pending", "slow_down", "expired_token", "access_denied"
]


@dataclass(slots=True)
class DeviceCode:
    """A device code and its state. Times and the interval are in seconds of the simulated clock."""

    device_code: str
    user_code: str
    client_id: str
    issued_at: float
    interval: float = INTERVAL
    polled_at: float | None = None
    decision: Decision = "pending"
    user_id: str = ""
    scopes: tuple[str, ...] = ()


class Devices:
    """The issued device codes; the newest 10 000 are kept.

    Args:
        clock: for lifetimes and intervals.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._devices: OrderedDict[str, DeviceCode] = OrderedDict()
        self._by_user_code: dict[str, DeviceCode] = {}

    def add(self, client_id: str, device_code: str, user_code: str) -> DeviceCode:
        """Add the codes of a requesting device."""
        device = DeviceCode(device_code, user_code, client_id, self._clock.now())
        self._devices[device_code] = device
        self._by_user_code[user_code] = device
        while len(self._devices) > _MAX_CODES:
            _, oldest = self._devices.popitem(last=False)
            self._by_user_code.pop(oldest.user_code, None)
        return device

    @behaviour(
        "device code",
        "a user code is accepted in any case, with spaces and hyphens",
        "inferred",
        source="RFC 8628 6.1",
    )
    def by_user_code(self, user_code: str) -> DeviceCode | None:
        """Return the waiting device of a user code that a person has entered."""
        typed = "".join(one for one in user_code.lower() if one.isalnum())
        return self._if_waiting(self._by_user_code.get(typed))

    def by_device_code(self, device_code: str) -> DeviceCode | None:
        """Return the device of a code, if it still waits for a person."""
        return self._if_waiting(self._devices.get(device_code))

    def _if_waiting(self, device: DeviceCode | None) -> DeviceCode | None:
        if device is None or device.decision != "pending" or self._expired(device):
            return None
        return device

    @behaviour(
        "device code",
        "polling sooner than the interval gets slow_down, and adds 5 seconds to the interval",
        "documented",
        source="github zoom/skills: oauth; RFC 8628 3.5",
    )
    @behaviour(
        "device code",
        "authorization_pending, expired_token (after 900 seconds) and access_denied",
        "documented",
        source="github zoom/skills: oauth",
    )
    def poll(self, device_code: str, client_id: str) -> tuple[PollResult, DeviceCode] | None:
        """Return the response to a polling device (RFC 8628 section 3.5).

        Returns:
            The result with the device code; None if this app was not given the code.
        """
        device = self._devices.get(device_code)
        if device is None or device.client_id != client_id:
            return None
        now = self._clock.now()
        since = None if device.polled_at is None else now - device.polled_at
        device.polled_at = now
        if self._expired(device):
            return "expired_token", device
        if since is not None and since < device.interval:
            device.interval += 5
            return "slow_down", device
        if device.decision == "pending":
            return "authorization_pending", device
        self._delete(device)
        return ("allowed" if device.decision == "allowed" else "access_denied"), device

    def clear(self) -> None:
        """Delete all of them."""
        self._devices.clear()
        self._by_user_code.clear()

    def _delete(self, device: DeviceCode) -> None:
        self._devices.pop(device.device_code, None)
        self._by_user_code.pop(device.user_code, None)

    def _expired(self, device: DeviceCode) -> bool:
        return self._clock.now() - device.issued_at > EXPIRES_IN
