"""The page of the apps: the one of this service as Zoom's form needs it, and what is installed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from starlette.responses import Response

from paraph.admin.operator_request import OperatorRequest
from paraph.lifecycle.context import Context
from paraph.model.installation import InstallationCount
from paraph.zoom.app_form import FormField


class AppFacts(NamedTuple):
    """The app of this service in the settings, without secrets.

    Attributes:
        level: who adds the app, "user" or "account".
        linking: how installations are linked, "host" or "none".
        authorization_server: the origin that people are sent to.
        webhook_secrets: the number of secrets that deliveries are verified with.
        form: the fields of Zoom's form.
    """

    level: str
    linking: str
    authorization_server: str
    webhook_secrets: int
    form: Sequence[FormField]


class AppsPage:
    """The apps that this database has installations of.

    A service acts for one app. Its database keeps the installations of another one if `client_id`
    was changed: they are counted, because nothing else shows them.

    Args:
        context: the context of the service.
        facts: the app of this service.
    """

    def __init__(self, context: Context, facts: AppFacts) -> None:
        self._context = context
        self._facts = facts

    async def show(self, request: OperatorRequest) -> Response:
        """Show the app with its installations by phase, and the other apps of the database."""
        own = self._context.client.client_id
        async with self._context.store.reading() as tx:
            counts = await tx.installations.count()
        by_app: dict[str, list[InstallationCount]] = defaultdict(list)
        for one in counts:
            by_app[one.client_id].append(one)
        return request.page(
            "apps.html",
            client_id=own,
            app=self._facts,
            form=_pages(self._facts.form),
            counts=by_app.pop(own, []),
            others={app: sum(one.number for one in each) for app, each in by_app.items()},
        )


def _pages(form: Sequence[FormField]) -> Mapping[str, list[FormField]]:
    """Return the fields by the page of Zoom's build flow that they stand on."""
    return {page: list(fields) for page, fields in groupby(form, attrgetter("page"))}
