"""The calls of a test about webhooks, and the people and apps that all calls name."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from paraph.errors import NotFound

if TYPE_CHECKING:
    from paraph.simulator.engine import Simulator
    from paraph.simulator.state.world import App, User, World

# The longest wait of a call here is a receiver's timeout of three seconds.
CALL_SECONDS = 30

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SignedEvent:
    """One webhook as Zoom would send it."""

    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class WebhookCalls(ABC):
    """Everything that a test asks about webhooks.

    Attributes:
        simulator: the simulator itself, for operations that have no call here.
    """

    simulator: Simulator

    @property
    def world(self) -> World:
        """Return the world; changes in place take effect at once."""
        return self.simulator.world

    @property
    def app(self) -> App:
        """Return the first app of the world."""
        return self.simulator.world.apps[0]

    @property
    def user(self) -> User:
        """Return the first user of the world, the default of all calls."""
        return self.simulator.world.users[0]

    def send_event(
        self,
        event: str,
        payload: dict[str, Any] | None = None,
        *,
        user_id: str = "",
        client_id: str = "",
        variant: str = "",
    ) -> str:
        """Sign and send one webhook; return its delivery id.

        Args:
            event: the name of the event.
            payload: its payload; None for a realistic one.
            user_id: the user whom a realistic payload concerns; "" for the first user.
            client_id: the app; "" for the first app.
            variant: "mixed_escapes", or "" for the usual form of the bytes.

        Raises:
            RuntimeError: no URL subscribes to it, or the URL failed six challenges.

        Example:
            delivery_id = zoom.send_event("meeting.ended")
        """
        app, user = self._app(client_id), self._user(user_id) if user_id else None
        publish = self.simulator.publish
        sent = self._call(lambda: publish(app, event, payload, user=user, variant=variant))
        if not sent:
            raise RuntimeError(f"no event URL of {app.client_id} is subscribed to {event}")
        return sent[0].id

    def signed_event(
        self,
        event: str,
        payload: dict[str, Any] | None = None,
        *,
        client_id: str = "",
        variant: str = "",
    ) -> SignedEvent:
        """Return a signed webhook without sending it.

        A test posts it itself to an app without a socket.

        Args:
            event: the name of the event.
            payload: its payload; None for a realistic one.
            client_id: the app; "" for the first app.
            variant: "mixed_escapes", or "" for the usual form of the bytes.

        Example:
            event = zoom.signed_event("meeting.ended")
            assert "x-zm-signature" in event.headers
        """
        app = self._app(client_id)

        def signed() -> SignedEvent:
            content = self.simulator.event_content(app, event, payload)
            prepared = self.simulator.sender.prepare(app, content, url="", variant=variant)
            return SignedEvent(dict(prepared.headers), prepared.body)

        return self._call(signed)

    def repeat(self, delivery_id: str) -> None:
        """Send a delivery again, byte for byte, as an attacker replays it.

        Args:
            delivery_id: the id of the delivery.

        Raises:
            NotFound: it is no longer kept.

        Example:
            zoom.repeat(zoom.send_event("meeting.ended"))
        """

        def repeated() -> None:
            delivery = self.simulator.sender.find(delivery_id)
            if delivery is None:
                raise NotFound("there is no such delivery")
            self.simulator.sender.repeat(delivery)

        self._call(repeated)

    def settle(self) -> None:
        """Wait until every due webhook has been sent and has its response or has failed.

        Example:
            zoom.send_event("meeting.ended")
            zoom.settle()
        """
        self._await(self.simulator.sender.settle())

    def validate_url(self, *, client_id: str = "") -> tuple[bool, str]:
        """Send the URL-validation challenge; return whether it passed, and the reason.

        Args:
            client_id: the app; "" for the first app.

        Example:
            passed, reason = zoom.validate_url()
        """
        app = self._app(client_id)
        return self._await(self.simulator.validation.validate(app, app.event_url))

    def deliveries(self) -> list[dict[str, Any]]:
        """Return every webhook with its attempts; the oldest first.

        Example:
            events = [delivery["event"] for delivery in zoom.deliveries()]
        """
        return self._call(self._describe_deliveries)

    def wait_for_delivery(
        self, delivery_id: str, *, attempts: int = 1, seconds: float = 10
    ) -> dict[str, Any]:
        """Return a delivery once it has had this many attempts.

        Args:
            delivery_id: the id of the delivery.
            attempts: the number of attempts.
            seconds: the timeout.

        Raises:
            TimeoutError: it has not had them within the timeout.

        Example:
            delivery = zoom.wait_for_delivery(zoom.send_event("meeting.ended"))
        """

        async def attempted() -> dict[str, Any]:
            async with asyncio.timeout(seconds):
                while True:
                    for one in self._describe_deliveries():
                        if one["id"] == delivery_id and len(one["attempts"]) >= attempts:
                            return one
                    await asyncio.sleep(0.005)

        return self._await(attempted(), seconds + CALL_SECONDS)

    def _describe_deliveries(self) -> list[dict[str, Any]]:
        from paraph.simulator.steering.control import describe_delivery

        return [describe_delivery(one) for one in self.simulator.sender.deliveries]

    def _user(self, user_id: str) -> User:
        return self.world.chosen_user(user_id)

    def _app(self, client_id: str) -> App:
        wanted = client_id or self.app.client_id
        return next(one for one in self.world.apps if one.client_id == wanted)

    @abstractmethod
    def _call(self, work: Callable[[], T]) -> T:
        """Run a function in the simulator's thread."""

    @abstractmethod
    def _await(self, work: Coroutine[Any, Any, T], seconds: float = CALL_SECONDS) -> T:
        """Run a coroutine in the simulator's event loop."""
