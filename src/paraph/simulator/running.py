"""Runs a simulator inside the program that uses it, on a free port.

It runs in its own thread, so that the program under test may block or run any event loop.
Importing this module loads no server; `start` does.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urljoin, urlsplit

from paraph.errors import ConfigurationError, UsageError
from paraph.extras import needs
from paraph.simulator.zoom_calls import CALL_SECONDS, ZoomCalls

if TYPE_CHECKING:
    import httpx

    from paraph.simulator.app import Binding
    from paraph.simulator.app_server import App as AppUnderTest
    from paraph.simulator.app_server import AppServer
    from paraph.simulator.browser.browser import Browser
    from paraph.simulator.engine import Simulator
    from paraph.simulator.state.world import User, World

_START_SECONDS = 10
_START_PAUSE = 0.1

T = TypeVar("T")


def cannot_listen(host: str, port: int) -> ConfigurationError:
    """Return the error for an address at which the simulator cannot listen."""
    return ConfigurationError(
        [f"cannot listen on {host}:{port}: the port is taken or not allowed"],
        remedy="Stop the program that uses the port, or choose another with --port.",
    )


class SimulatedZoom(ZoomCalls):
    """A running simulator, for `with`, `async with`, or `start` and `stop`.

    Every call may come from any thread. Calls that wait for the app under test (`validate_url`,
    `wait_for_delivery`, `install`) block. If that app runs in the calling event loop, use
    `await asyncio.to_thread(...)`.

    Args:
        world: accounts, users and apps; by default one account, three users and one app.
        binding: the address to listen on; by default a free port of 127.0.0.1.

    Attributes:
        url: its origin, like "http://127.0.0.1:43210".
        simulator: the simulator itself, for operations that have no call here.

    Example:
        with SimulatedZoom() as zoom:
            print(zoom.url, zoom.app.client_id)
    """

    def __init__(self, world: World | None = None, *, binding: Binding | None = None) -> None:
        with needs("simulator", "paraph.SimulatedZoom"):
            from paraph.simulator import app as server
            from paraph.simulator.state.world import default_world

        self.url = ""
        self.simulator: Simulator = server.create_simulator(world or default_world())
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._binding = binding or server.Binding(port=0)
        self._server = server.Server(self.simulator, self._binding, listening=self._listening)
        self._thread = threading.Thread(target=self._serve, name="simulated zoom", daemon=True)
        self._app_server: AppServer | None = None
        self._browsers: list[Browser] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def _serve(self) -> None:
        # uvicorn exits if it cannot bind; `start` sees that the thread has ended.
        with suppress(SystemExit):
            self._server.run()

    def start(self) -> None:
        """Serve in a thread; return when connections are accepted.

        Raises:
            ConfigurationError: the port is taken or not allowed.
            RuntimeError: the simulator did not start within 10 seconds.

        Example:
            zoom = SimulatedZoom()
            zoom.start()
            zoom.stop()
        """
        self._thread.start()
        for _ in range(round(_START_SECONDS / _START_PAUSE)):
            if self._started.wait(_START_PAUSE):
                return
            if not self._thread.is_alive():
                raise cannot_listen(self._binding.host, self._binding.port)
        raise RuntimeError("the simulator did not start within 10 seconds")

    def stop(self) -> None:
        """Stop serving.

        Example:
            zoom = SimulatedZoom()
            zoom.start()
            zoom.stop()
        """
        self.release()
        if self._app_server is not None:
            self._app_server.close()
            self._app_server = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self._server.should_exit = True
        self._thread.join(_START_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(self, *_raised: object) -> None:
        await asyncio.to_thread(self.stop)

    @property
    def is_running(self) -> bool:
        """Return true while the server accepts connections."""
        return self._started.is_set() and self._thread.is_alive()

    def browser(self) -> Browser:
        """Return a new browser profile; it is closed at the end of the test.

        Example:
            page = zoom.browser().get(f"{zoom.url}/marketplace/{zoom.app.client_id}")
            assert page.status_code == 200
        """
        from paraph.simulator.browser.browser import Browser

        self._browsers.append(Browser(self.simulator))
        return self._browsers[-1]

    @property
    def app_url(self) -> str:
        """The address reserved for the app under test, like "http://127.0.0.1:43211".

        It is the `public_url` of `settings()`; `serve` and `install` serve the app there.
        """
        return self._address().url

    def serve(self, app: AppUnderTest) -> str:
        """Serve an app at `app_url` until the end of the test; return that address.

        Args:
            app: an ASGI application, whose lifespan runs meanwhile, or a WSGI application.

        Raises:
            RuntimeError: the app did not start; its exception is the cause.

        Example:
            url = zoom.serve(app)
            assert url == zoom.app_url
        """
        self._address().serve(app)
        return self.app_url

    def install(
        self,
        app: AppUnderTest | str,
        user: User | str = "",
        *,
        start: str = "/install",
        browser: Browser | None = None,
    ) -> httpx.Response:
        """Install an app as a person does: start, consent at Zoom, and back to the app.

        Args:
            app: an ASGI or WSGI application, which is served at `app_url`; or the address of a
                running app, with or without the path of the start.
            user: the Zoom user who consents, or the id or e-mail address; "" for the first user.
            start: the path that starts the install, if `app` names none.
            browser: a browser that is signed in to the app already; by default a new one.

        Returns:
            The page at which the browser ends. Its `history` holds the redirects since consent.

        Raises:
            UsageError: the start did not lead to the consent page of this Zoom.
            RuntimeError: the app did not start.

        Example:
            page = zoom.install(app, start="/start")
            assert page.status_code == 200
        """
        from paraph.simulator.engine import Consent

        url = app if isinstance(app, str) else self.serve(app)
        if urlsplit(url).path in {"", "/"}:
            url = urljoin(url, start)
        browser = browser or self.browser()
        before, self.simulator.consent = self.simulator.consent, Consent("ask")
        try:
            page = browser.get(url)
            if not browser.is_at_consent:
                raise UsageError(
                    f"{url} did not lead to Zoom's consent page, but to {page.url} with "
                    f"status {page.status_code}",
                    remedy="Name the URL that starts an install, and sign in first if the app "
                    "asks for it: pass that browser as browser=.",
                )
            return browser.approve(user)
        finally:
            self.simulator.consent = before

    def settings(self, **overrides: Any) -> dict[str, Any]:
        """Return keywords for `paraph.Zoom` that fit this Zoom; register the app's URLs here.

        Zoom has another host name than the app, `localhost`, so that both are different sites as
        in production. The database is a new file, which is deleted when this Zoom stops.

        Args:
            overrides: settings to add or to replace, such as `linking="none"` or `prefix="/zoom"`.

        Example:
            product = Zoom(**zoom.settings(linking="none"))
        """
        from paraph.simulator.app_settings import paraph_settings

        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="simulated-zoom-")
        given = {"public_url": self.app_url} | overrides
        return paraph_settings(self.simulator, self._folder.name, given)

    def environment(self, **overrides: Any) -> dict[str, str]:
        """Return `settings()` as `PARAPH_` variables, for an app in a process of its own.

        Args:
            overrides: as for `settings`.

        Example:
            variables = zoom.environment(linking="none")
            assert variables["PARAPH_LINKING"] == "none"
        """
        found = self.settings(**overrides)
        # A keyword of the app's own code, not a setting.
        found.pop("prefix", None)
        return {
            f"PARAPH_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in found.items()
        }

    def registration(
        self,
        *,
        redirect: str = "/oauth/redirect",
        webhook: str = "/webhook",
        public_url: str = "",
    ) -> dict[str, str]:
        """Register the URLs of an app here; return what an app without paraph needs to know.

        Args:
            redirect: the path of the app's redirect URI.
            webhook: the path at which the app receives events.
            public_url: the address of the app; "" for `app_url`.

        Returns:
            `client_id`, `client_secret`, `webhook_secret`, `redirect_uri`, `public_url`,
            `authorize_url`, `token_url`, `revoke_url` and `api_url`.

        Example:
            print(zoom.registration())
        """
        from paraph.simulator.app_settings import register

        return register(self.simulator, public_url or self.app_url, redirect, webhook)

    def release(self) -> None:
        """Stop the app that is served, and close the browsers; the fixture does so.

        `app_url` stays the same for the next app.

        Example:
            zoom.serve(app)
            zoom.release()
        """
        for browser in self._browsers:
            browser.close()
        self._browsers.clear()
        if self._app_server is not None:
            self._app_server.stop()

    def _address(self) -> AppServer:
        from paraph.simulator.app_server import AppServer

        if self._app_server is None:
            self._app_server = AppServer()
        return self._app_server

    def _call(self, work: Callable[[], T]) -> T:
        if not self._thread.is_alive():
            # Before the start and after the end no other thread uses it.
            return work()

        async def called() -> T:
            return work()

        return self._await(called())

    def _await(self, work: Coroutine[Any, Any, T], seconds: float = CALL_SECONDS) -> T:
        if self._loop is None or not self._thread.is_alive():
            work.close()
            raise RuntimeError("the simulator is not running: use `with` or `start`")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def _listening(self, url: str) -> None:
        self._loop = asyncio.get_running_loop()
        self.url = url
        self._started.set()
