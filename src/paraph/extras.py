"""Extras: the optional parts of the distribution, and the error for a part that is not installed.

`pip install paraph` installs the webhook verification, `paraph explain webhook` and the command
line. Every other part needs packages that an extra installs, as in `pip install "paraph[service]"`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from paraph.errors import ParaphError

# The extra that installs what a module imports; the longest name that fits decides. Modules that
# are not listed serve several parts, and import what the smallest of them has.
EXTRA_OF: Mapping[str, str] = {
    "paraph.admin": "service",
    "paraph.api": "service",
    "paraph.checks": "check",
    "paraph.client": "client",
    "paraph.demo": "service",
    "paraph.endpoints": "service",
    "paraph.events": "service",
    "paraph.events.jetstream": "nats",
    "paraph.events.stream_pull": "nats",
    "paraph.events.stream_setup": "nats",
    "paraph.explain.app_context_header": "installs",
    "paraph.explain.redirect": "installs",
    "paraph.installs": "installs",
    "paraph.integrations.django": "django",
    "paraph.integrations.fastapi": "service",
    "paraph.integrations.flask": "flask",
    "paraph.integrations.starlette": "service",
    "paraph.integrations.wsgi": "service",
    "paraph.lifecycle": "service",
    "paraph.operations": "service",
    "paraph.remote": "service",
    "paraph.review": "service",
    "paraph.service": "service",
    "paraph.settings": "service",
    "paraph.simulator": "simulator",
    "paraph.storage": "service",
}


class MissingExtra(ParaphError, ModuleNotFoundError):
    """A part of paraph needs a package that is not installed; an extra installs it.

    It is an ImportError, so `try: import ... except ImportError` finds it. Its text is one line
    that ends with the command to run.

    Args:
        part: the part as its user names it, such as "paraph.client" or "`paraph serve`".
        package: the name of the module that is missing.
        extra: the extra that installs it.

    Example:
        >>> str(MissingExtra("paraph.client", package="httpx", extra="client"))
        'paraph.client needs httpx, which is not installed: pip install "paraph[client]"'
    """

    code = "missing_extra"
    public_message = "A part of paraph is not installed."

    def __init__(self, part: str, *, package: str, extra: str) -> None:
        self.name = package
        self.extra = extra
        super().__init__(
            f"{part} needs {package}, which is not installed",
            remedy=f'pip install "paraph[{extra}]"',
        )

    def __str__(self) -> str:
        return f"{self.detail}: {self.remedy}"


def extra_of(module: str) -> str:
    """Return the extra that installs the imports of a module; "" for the base installation."""
    while module:
        if module in EXTRA_OF:
            return EXTRA_OF[module]
        module = module.rpartition(".")[0]
    return ""


@contextmanager
def needs(extra: str, part: str) -> Iterator[None]:
    """Import a part inside this block: a package that is missing is reported with its extra.

    Args:
        extra: the extra that installs the packages of the part; "" changes no exception.
        part: the part as its user names it, such as "paraph.client" or "`paraph serve`".

    Raises:
        MissingExtra: a package of the extra is not installed.

    Example:
        >>> with needs("client", "paraph.client"):
        ...     import httpx
    """
    try:
        yield
    except MissingExtra:
        raise
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        # A missing module of paraph or of Python itself is a defect that no extra repairs.
        if not extra or package in {"", "paraph", *sys.stdlib_module_names}:
            raise
        raise MissingExtra(part, package=package, extra=extra) from None
