"""The calls of a test to a simulated Zoom, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from paraph.simulator.webhook_calls import CALL_SECONDS, WebhookCalls

if TYPE_CHECKING:
    from paraph.simulator.state.world import World

__all__ = ["CALL_SECONDS", "ZoomCalls"]

_PAUSE_SECONDS = 0.02

T = TypeVar("T")


class ZoomCalls(WebhookCalls):
    """Everything that a test asks of a simulated Zoom while it runs."""

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

    def revoke(self, user_id: str = "", *, client_id: str = "") -> None:
        """Revoke the grant of a user, as if the app had called `/oauth/revoke`.

        Args:
            user_id: the user; "" for the first user.
            client_id: the app; "" for the first app.

        Example:
            zoom.revoke()
        """
        from paraph.simulator.apps.deauthorization import revoke_grant

        app, user = self._app(client_id), self._user(user_id)
        self._call(lambda: revoke_grant(self.simulator, app, user.id))

    def expire_access_token(self, user_id: str = "", *, client_id: str = "") -> int:
        """Let the access token of a user expire now; return the number of tokens that expired.

        The refresh token stays alive.

        Args:
            user_id: the user; "" for the first user.
            client_id: the app; "" for the first app.

        Example:
            zoom.expire_access_token()
        """
        app, user = self._app(client_id), self._user(user_id)
        expire = self.simulator.ledger.expire_access_tokens
        return self._call(lambda: expire(app.client_id, user.id))

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
