"""One request of a signed-in operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from paraph.admin.form import Fields
from paraph.admin.page import render
from paraph.admin.session import Session


@dataclass(frozen=True, slots=True)
class Visit:
    """An operator request: the session, the query and the form.

    `argument` is the id in the path, or ""; `form` is empty for a GET.
    """

    session: Session
    app_name: str
    now: int
    argument: str
    query: Fields
    form: Fields

    def page(self, name: str, *, status: int = 200, **values: Any) -> Response:
        """Render a page with the values that all pages need."""
        return render(
            name,
            status=status,
            session=self.session,
            app_name=self.app_name,
            now=self.now,
            **values,
        )

    def count(self, name: str) -> int:
        """Return a small number from the query: the result of the preceding action."""
        value = self.query.one(name)
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 3 else 0
