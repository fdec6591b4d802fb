"""The environment of cases: a simulated Zoom and a running app, connected to each other."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

from paraph.checks.harness import impersonation
from paraph.checks.harness.app_process import (
    Application,
    ReservedPort,
    start,
)
from paraph.checks.harness.certificates import Certificate, CertificateAuthority
from paraph.checks.harness.http.destination import THIS_MACHINE, Reach
from paraph.checks.harness.listener import Listener, Trap
from paraph.checks.harness.readiness import wait_until_ready
from paraph.checks.harness.recording_zoom import Zoom
from paraph.checks.target import Target, Variant, fill
from paraph.checks.verdict import ControlFailedError, HookMissingError
from paraph.simulator.state.world import App, User

_WEAK_PREFIX = "checked-"
# The placeholders whose values hold the port.
_NAMES_PORT = ("{port}", "{url}", "{redirect_uri}")
_SPARE = ("port2", "port3", "port4", "port5")


class Environment:
    """Zoom, the app, the attacker's server, and the folder that they share.

    Args:
        target: the app.
        overlay: settings for every start, such as the switches of the self-test.
        reach: the allowed destinations of requests.
    """

    def __init__(
        self, target: Target, overlay: Variant | None = None, *, reach: Reach = THIS_MACHINE
    ) -> None:
        self.target = target
        self.reach = reach
        self._overlay = overlay or Variant()
        self.folder = Path(tempfile.mkdtemp(prefix="paraph-check-"))
        self.authority = CertificateAuthority(self.folder / "certificates")
        self.trap = Trap()
        self._trap_listener = Listener(self.trap, host="127.0.0.1")
        self.trap_url = self._trap_listener.url
        self.offset = 0.0
        self.variant = ""
        self.certificate: Certificate | None = None
        self.known_user: User | None = None
        self.pages_differ: bool | None = None
        self._reserved = [ReservedPort() for _ in range(1 + len(_SPARE))]
        first, *spare = [one.number for one in self._reserved]
        self.port = first if target.is_started_here else 0
        self._spare_ports = [str(one) for one in spare]
        self.app: Application | None = None
        try:
            self.zoom = self._new_zoom(None)
        except OSError:
            self._release_everything()
            raise

    def __enter__(self) -> Self:
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> None:
        """Start all servers and the app, unless they run already.

        Raises:
            ControlFailedError: the app did not become ready; it may still be running.
        """
        if self.app is None:
            self._trap_listener.start()
            self.zoom.start()
            self.start()

    def close(self) -> None:
        """Stop all processes and servers and delete the folder."""
        if self.app is not None:
            self.app.stop()
        self.zoom.stop()
        self._release_everything()

    def _release_everything(self) -> None:
        self._trap_listener.stop()
        for port in self._reserved:
            port.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------ the app's process

    @property
    def base(self) -> str:
        """The app's base URL."""
        chosen = self.target.variants.get(self.variant, Variant())
        base = chosen.base or self.target.urls.base or "http://127.0.0.1:{port}"
        return fill(base, {"port": str(self.port)})

    @property
    def level(self) -> str:
        """The level of the app's registration at Zoom: "user" or "account"."""
        chosen = self.target.variants.get(self.variant, Variant())
        return chosen.level or self.target.zoom.level

    def values(self) -> dict[str, str]:
        """Return the values of the placeholders of the target file."""
        app = self.zoom.app
        names = ("port", *_SPARE)
        ports = dict(zip(names, [str(self.port), *self._spare_ports], strict=True))
        return {
            **ports,
            "url": self.base,
            "python": sys.executable,
            "zoom": self.zoom.url,
            "zoom_port": str(urlsplit(self.zoom.url).port),
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "webhook_secret": app.webhook_secret,
            "redirect_uri": self.redirect_uri,
            "folder": str(self.folder),
            "ca_file": str(self.authority.file),
            "trap": self.trap_url,
            "certificate": str(self.certificate.chain) if self.certificate else "",
            "certificate_key": str(self.certificate.key) if self.certificate else "",
        }

    def start(self, variant: str = "", **variables: str) -> None:
        """Start the app, or a variant of it from the target file.

        Args:
            variant: the name of the variant; "" for the app itself.
            variables: environment variables to add.

        Raises:
            HookMissingError: the target file has no such variant or no command.
            ControlFailedError: the app did not become ready.
        """
        chosen = self._chosen(variant)
        self.variant = variant
        # An app that keeps its installations in memory has lost this one.
        self.known_user = None
        if self.base.startswith("https:") and self.certificate is None:
            self.certificate = self.authority.issue("localhost", "127.0.0.1")
        merged = Variant(
            environment={**self._overlay.environment, **chosen.environment, **variables},
            command=chosen.command,
        )
        if self.target.impersonate:
            merged = self._impersonating(merged)
        self.app = start(self.target, merged, self.values())
        self._register()
        ready = self.target.start
        where = urljoin(self.base, fill(ready.ready, self.values()))
        if problem := self.reach.problem(where):
            raise ControlFailedError(f"start.ready was {problem}")
        wait_until_ready(
            self.app,
            where,
            ready.ready_within,
            reach=self.reach,
            others=[self.port, *map(int, self._spare_ports)],
            knows_port=self._knows_port(merged),
        )

    def _chosen(self, variant: str) -> Variant:
        """Return the settings of a variant; none for the app itself.

        Raises:
            HookMissingError: the target file has no such variant or no command.
        """
        found = self.target.variants.get(variant)
        if variant and not self.target.is_started_here:
            raise HookMissingError("needs a `command` in [start]")
        if variant and found is None:
            raise HookMissingError(f"needs `[variants.{variant}]`")
        return found if variant and found else Variant()

    def _knows_port(self, variant: Variant) -> bool:
        """Return True if the app can know the port of its base URL."""
        chosen = self.target.variants.get(self.variant, Variant())
        start = self.target.start
        told = [*(variant.command or start.command), start.directory]
        told += [*start.environment.values(), *variant.environment.values()]
        fixed = chosen.base or self.target.urls.base
        has_fixed_port = bool(fixed) and "{port}" not in fixed
        return (
            has_fixed_port
            or not self.target.is_started_here
            or any(name in one for one in told for name in _NAMES_PORT)
        )

    def _impersonating(self, variant: Variant) -> Variant:
        """Wrap the command in a namespace in which Zoom's host names lead to the simulator."""
        command = variant.command or self.target.start.command
        return Variant(
            command=impersonation.wrapped(command, self.folder, self.authority.file),
            environment=impersonation.trusting(variant.environment, self.folder),
        )

    def restart(self, variant: str = "", *, kill: bool = False, **variables: str) -> None:
        """Stop the app and start it again, optionally with other settings; its data are kept.

        Args:
            variant: the name of the variant; "" for the app itself.
            kill: end it with SIGKILL.
            variables: environment variables to add.

        Raises:
            HookMissingError: the target file has no such variant or no command; the app still runs.
        """
        if not self.target.is_started_here or self.app is None:
            raise HookMissingError("needs a `command` in [start]")
        self._chosen(variant)
        if kill:
            self.app.kill()
        else:
            self.app.stop()
        self.start(variant, **variables)

    def renew(self) -> None:
        """Start the app without its data, because a case left data that it cannot start with."""
        if self.app is not None:
            self.app.stop()
        for one in self.folder.iterdir():
            if one.name == "certificates":
                continue
            if one.is_dir():
                shutil.rmtree(one, ignore_errors=True)
            else:
                one.unlink(missing_ok=True)
        self.start()

    def replace_zoom(self, certificate: Certificate | None) -> None:
        """Replace the simulated Zoom, with TLS or without; the app must then be started again."""
        self.zoom.stop()
        self.zoom = self._new_zoom(certificate)
        self.zoom.start()

    def _new_zoom(self, certificate: Certificate | None) -> Zoom:
        wanted = self.target.zoom
        mark = os.urandom(12).hex()
        app = App(
            client_id=wanted.client_id or f"CheckedApp{mark[:12]}",
            client_secret=wanted.client_secret or f"{_WEAK_PREFIX}client-{mark}",
            webhook_secret=wanted.webhook_secret or f"{_WEAK_PREFIX}webhook-{mark}",
            scopes=list(wanted.scopes),
            level=wanted.level,
        )
        if self.target.impersonate:
            own = certificate or self.authority.issue(*impersonation.NAMES)
            return Zoom(app, port=443, certificate=own, address=impersonation.address())
        return Zoom(app, port=wanted.port, certificate=certificate)

    def _register(self) -> None:
        app = self.zoom.app
        app.level = "account" if self.level == "account" else "user"
        primary = self.url("marketplace") or self.redirect_uri
        app.redirect_uris = [one for one in (primary, self.redirect_uri) if one]
        if second := self.url("second_redirect"):
            app.redirect_uris.append(second)
        app.allow_list = [self.base + "/"]
        app.event_url = self.url("webhook")
        # Zoom would send a removal for each revoked token; the cases send all removals themselves.
        app.deauthorization_url = ""

    # ------------------------------------------------------------ its URLs

    def url(self, name: str) -> str:
        """Return one of the app's URLs, absolute; "" if the target file does not name it."""
        path: str = getattr(self.target.urls, name)
        return self.absolute(path) if path else ""

    def absolute(self, path: str) -> str:
        """Return a path or URL of the target file as an absolute URL."""
        return urljoin(self.base + "/", fill(path, {"port": str(self.port), **self._ports()}))

    def _ports(self) -> dict[str, str]:
        return dict(zip(_SPARE, self._spare_ports, strict=True))

    @property
    def redirect_uri(self) -> str:
        """The redirect URI that is registered at Zoom."""
        wanted = self.target.zoom.redirect_uri
        return fill(wanted, {"port": str(self.port)}) if wanted else self.url("redirect")

    @property
    def origins(self) -> list[str]:
        """Return the origins of all URLs of the app."""
        urls = [self.base, self.url("redirect"), self.url("start"), self.url("marketplace")]
        urls += [self.absolute(one) for one in self.target.urls.more_origins]
        parts = [urlsplit(one) for one in urls if one]
        return sorted({f"{one.scheme}://{one.netloc}" for one in parts})

    def demand_alive(self) -> None:
        """Check that the app's process is running.

        Raises:
            ControlFailedError: it has ended.
        """
        if self.app is None or not self.app.alive:
            raise ControlFailedError("the app's process has ended")
