"""The one service of a Django project: made from its settings, at its first use in this process."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.shortcuts import resolve_url
from django.urls import get_script_prefix, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string

from paraph.errors import NotFound
from paraph.http.rate_limit import start_limit
from paraph.integrations.django.handlers import register_with
from paraph.integrations.wsgi import start_in_background
from paraph.secret import Secret
from paraph.service.mount.signed_in import subject_text

if TYPE_CHECKING:
    from paraph.sealing.key_ring import KeyRing
    from paraph.service.sync_zoom import SyncZoom
    from paraph.settings.model import Settings

# Keys of PARAPH that are not settings of the service.
OPTIONS = frozenset({"subject_of", "label_of", "after_install", "after_failure", "file"})
_log = logging.getLogger("paraph.django")


def written() -> dict[str, Any]:
    """Return the setting `PARAPH` with its keys in lower case."""
    value = getattr(settings, "PARAPH", {})
    return {str(name).lower(): one for name, one in value.items()} if _is_mapping(value) else {}


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def option(name: str) -> Any:
    """Return a key of `PARAPH` that is not a setting of the service; "" if it is not there."""
    return written().get(name, "")


def url_option(name: str) -> str:
    """Return a URL in `PARAPH`, which may be a path or the name of a URL pattern; "" if not set."""
    value = option(name)
    return str(resolve_url(value)) if value else ""


def function_option(name: str) -> Callable[[Any], Any]:
    """Return the function that a key of `PARAPH` names, itself or by its dotted name.

    Raises:
        ImportError: there is no such function.
    """
    value = option(name)
    found: Callable[[Any], Any] = import_string(value) if isinstance(value, str) else value
    return found


def prefix() -> str:
    """Return the path below which the project includes the URLs, without a slash at its end.

    Raises:
        NoReverseMatch: the project does not include them, or below a path with a parameter.
    """
    route: str = reverse("paraph:webhook")
    script = get_script_prefix().rstrip("/")
    return route.removeprefix(script).removesuffix("/webhook")


def subject_of(request: Any) -> str | None:
    """Return the signed-in local account of a request; None if the person is not signed in.

    Raises:
        UsageError: SUBJECT_OF returned something that is no account.
    """
    if option("subject_of"):
        return subject_text(function_option("subject_of")(request))
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    return subject_text(str(user.pk))


def label_of(request: Any, subject: str) -> str:
    """Return the name of the signed-in account as its person knows it, for the confirmation page.

    By default it is the name of Django's user. Where SUBJECT_OF chooses another account, it is the
    subject: the name of the user would not say which account is linked.
    """
    if option("label_of"):
        return str(function_option("label_of")(request) or subject)
    return subject if option("subject_of") else str(request.user.get_username())


def service_settings() -> Settings:
    """Read and check the settings of the service: `PARAPH`, the environment and `paraph.toml`.

    Raises:
        ConfigurationError: carries every problem of the settings.
        UsageError: a key of `PARAPH` is not a setting.
        NoReverseMatch: the project does not include the URLs, or below a path with a parameter.
    """
    from paraph.settings.loading import Mount, load_settings

    values = written()
    place = Mount(prefix=prefix(), has_pages=values.get("linking") != "none")
    keywords = {name: value for name, value in values.items() if name not in OPTIONS}
    file = values.get("file")
    return load_settings(Path(file) if file else None, keywords, mount=place)


def variables() -> dict[str, str]:
    """Return the settings as environment variables, for the command line.

    Raises:
        ConfigurationError, UsageError, NoReverseMatch: as for `service_settings`.
    """
    service = service_settings()
    values = {name: value for name, value in written().items() if name not in OPTIONS}
    # These depend on the place of the include().
    values |= {"public_url": service.public_url}
    if service.linking == "host":
        values |= {"start_url": service.start_url, "link_url": service.link_url}
    return {f"PARAPH_{name.upper()}": _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return json.dumps([_text(one) for one in value])
    return value.reveal() if isinstance(value, Secret) else str(value)


class Project:
    """Makes the service once for each process, and stops it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._zoom: SyncZoom | None = None
        self._starts = start_limit(time.monotonic)

    def spend_start(self, address: str) -> None:
        """Count one start of an install. Raises `Busy` if the address has used up its limit."""
        with self._lock:
            self._starts.spend(address)

    def zoom(self) -> SyncZoom:
        """Return the service; it starts with its first call.

        Raises:
            ConfigurationError: carries every problem of the settings.
        """
        with self._lock:
            if self._zoom is None:
                self._zoom = self._made()
            return self._zoom

    def ring(self) -> KeyRing:
        """Return the encryption keys of the service, which starts where it has not.

        Raises:
            ConfigurationError: the settings, the key ring or the database cannot be used.
        """
        zoom = self.zoom()
        zoom.start()
        return zoom.zoom.service.context.ring

    def _made(self) -> SyncZoom:
        from paraph.service.sync_zoom import SyncZoom

        found = service_settings()
        made = SyncZoom(
            found,
            # Of a linked installation the page here knows the end.
            after_install=url_option("after_install") if found.linking == "none" else "",
            after_failure=url_option("after_failure"),
        )
        register_with(made.on)
        return made

    def start_in_background(self) -> None:
        """Start the service without waiting for it, so that events are delivered from now on."""
        start_in_background(lambda: self.zoom().start(), _report)

    def close(self) -> None:
        """Stop the service. The next use makes it again, from the settings of that moment."""
        with self._lock:
            found, self._zoom = self._zoom, None
        if found is not None:
            found.stop()


def _report(why: str, remedy: str = "") -> None:
    # The pages of the project keep working; those of Zoom answer 503.
    _log.error("Zoom is not available: %s", f"{why}. {remedy}" if remedy else why)


def installation_of(request: Any) -> Any:
    """Return the installation of the signed-in account, to call Zoom with.

    Args:
        request: the request of a view.

    Raises:
        NotFound: no account is signed in.

    Example:
        from paraph.integrations.django import installation_of

        def me(request):
            return JsonResponse(installation_of(request).get("/users/me").json())
    """
    subject = subject_of(request)
    if subject is None:
        raise NotFound("no account is signed in", remedy="Decorate the view by login_required.")
    return project.zoom().installation(subject)


project = Project()

zoom = cast("SyncZoom", SimpleLazyObject(project.zoom))
