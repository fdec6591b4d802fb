"""The calls of a test to a simulated Zoom, from any thread."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from paraph.simulator.engine import Simulator
    from paraph.simulator.state.world import App, User, World

# The longest wait of a call here is a receiver's timeout of three seconds.
CALL_SECONDS = 30
_PAUSE_SECONDS = 0.02

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SignedEvent:
    """One webhook as Zoom would send it."""

    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class ZoomCalls(ABC):
    """Everything that a test asks of a simulated Zoom while it runs.

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

    def journal(self, path: str = "") -> list[dict[str, Any]]:
        """Return the requests to this Zoom, the oldest first.

        Args:
            path: only requests of this path; "" for all.

        Example:
            requests = zoom.journal("/oauth/token")
        """
        entries = self._call(lambda: self.simulator.journal.entries)
        return [entry for entry in entries if not path or entry["path"] == path]

    def grants(self) -> list[dict[str, Any]]:
        """Return the live grants, never their tokens.

        Example:
            users = [grant["user_id"] for grant in zoom.grants()]
        """
        from paraph.simulator.steering.control import describe_grants

        return self._call(lambda: describe_grants(self.simulator))

    def consent(self, auto: Literal["approve", "deny", "ask"], user_id: str = "") -> None:
        """Set the way in which authorizations are decided from now on.

        Args:
            auto: "ask" shows the consent page; the others decide at once.
            user_id: the user who decides; "" for the first user.

        Example:
            zoom.consent("deny")
        """
        from paraph.simulator.engine import Consent

        self.simulator.consent = Consent(auto, user_id or self.user.id)

    def advance(self, seconds: float) -> None:
        """Move all timers forward: lifetimes, retries, revalidation.

        Times inside messages stay real.

        Args:
            seconds: by how much.

        Raises:
            UsageError: `seconds` is negative or too large.

        Example:
            zoom.advance(3600)
        """
        from paraph.simulator.steering.control import advance_clock

        self._call(lambda: advance_clock(self.simulator, seconds))

    def send_event(
        self,
        event: str,
        payload: dict[str, Any] | None = None,
        *,
        client_id: str = "",
        variant: str = "",
    ) -> str:
        """Sign and send one webhook; return its delivery id.

        Args:
            event: the name of the event.
            payload: its payload; None for a realistic one.
            client_id: the app; "" for the first app.
            variant: "mixed_escapes", or "" for the usual form of the bytes.

        Raises:
            RuntimeError: no URL subscribes to it, or the URL failed six challenges.

        Example:
            delivery_id = zoom.send_event("meeting.ended")
        """
        app = self._app(client_id)
        publish = self.simulator.publish
        sent = self._call(lambda: publish(app, event, payload, variant=variant))
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

    def deauthorize(
        self, user_id: str = "", *, client_id: str = "", variant: str = ""
    ) -> str | None:
        """Remove an app for a user; return the delivery's id, or None if no app is notified.

        Args:
            user_id: the user; "" for the first user.
            client_id: the app; "" for the first app.
            variant: a variant of the event, from `apps.deauthorization.VARIANTS`.

        Raises:
            UsageError: there is no such variant.

        Example:
            delivery_id = zoom.deauthorize()
        """
        from paraph.simulator.apps.deauthorization import deauthorize

        app, user = self._app(client_id), self._user(user_id)
        delivery = self._call(lambda: deauthorize(self.simulator, app, user, variant=variant))
        return None if delivery is None else delivery.id

    def app_context(
        self,
        user_id: str = "",
        *,
        client_id: str = "",
        place: str = "panel",
        act: str = "",
        variant: str = "",
    ) -> str:
        """Return an X-Zoom-App-Context header.

        Args:
            user_id: the user who opens the app; "" for the first user.
            client_id: the app; "" for the first app.
            place: a key of `apps.app_context.PLACES`.
            act: the action of a deep link.
            variant: a variant of `apps.app_context.VARIANTS`; "" for a valid context.

        Raises:
            UsageError: there is no such place or variant.

        Example:
            headers = {"X-Zoom-App-Context": zoom.app_context()}
        """
        from paraph.simulator.apps.app_context import mint

        return mint(
            self._app(client_id),
            self._user(user_id),
            now=self.simulator.wall(),
            random_bytes=self.simulator.random_bytes,
            place=place,
            act=act,
            variant=variant,
        )

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

    def wait_until(self, condition: Callable[[], Any], *, seconds: float = 10) -> None:
        """Wait until the app under test has done something, such as running an event handler.

        Args:
            condition: returns a true value once it has; it is called again and again.
            seconds: the timeout.

        Raises:
            TimeoutError: it has not done so within the timeout.

        Example:
            zoom.send_event("meeting.ended")
            zoom.wait_until(lambda: zoom.deliveries()[0]["attempts"])
        """
        never = threading.Event()
        for _ in range(max(1, round(seconds / _PAUSE_SECONDS))):
            if condition():
                return
            never.wait(_PAUSE_SECONDS)
        raise TimeoutError(f"the condition has not become true within {seconds} s")

    @contextmanager
    def fault(self, name: str, **parameters: Any) -> Iterator[None]:
        """Switch on a fault until the block ends.

        Args:
            name: the name of the fault.
            parameters: its parameters; `times=1` limits it to one occasion.

        Raises:
            NotFound: there is no such fault.
            UsageError: a parameter is unknown or of the wrong type.

        Example:
            with zoom.fault("token_unavailable", times=1):
                print(zoom.grants())
        """
        faults = self.simulator.faults
        self._call(lambda: faults.switch_on(name, parameters))
        try:
            yield
        finally:
            self._call(lambda: faults.switch_off(name))

    def reset(self, world: World | None = None) -> None:
        """Return to the world as it was at the start; clock, journal, faults, consent are reset.

        This takes milliseconds, so one server can serve many tests.

        Args:
            world: another world from now on; None keeps the present one.

        Example:
            zoom.reset()
        """
        self._call(lambda: self.simulator.reset(world))

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
