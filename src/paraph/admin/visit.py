"""One request of a signed-in operator, as the pages see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from paraph.admin.form import Fields
from paraph.admin.page import render
from paraph.admin.session import Session


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks, and what for.

    `argument` is the part of the path that names one thing, or empty; `form` is empty for a GET.
    """

    session: Session
    app_name: str
    now: int
    argument: str
    query: Fields
    form: Fields

    def page(self, name: str, *, status: int = 200, **values: Any) -> Response:
        """A page with what all of them show."""
        return render(
            name,
            status=status,
            session=self.session,
            app_name=self.app_name,
            now=self.now,
            **values,
        )

    def count(self, name: str) -> int:
        """A small number in the query: what an act before this page has done."""
        value = self.query.one(name)
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 3 else 0
