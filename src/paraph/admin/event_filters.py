"""The filters of the events page, in its query and in the form that redelivers what matches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from paraph.admin.operator_request import Fields
from paraph.admin.page import nothing_here
from paraph.model.event import EventFilter

# Field name to label, in the order of the form; dates are days in UTC.
TEXTS: Mapping[str, str] = {
    "name": "Name",
    "account_id": "Account",
    "user_id": "User",
    "cause": "Cause contains",
}
DAYS: Mapping[str, str] = {"from": "Received from", "before": "Received before"}
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class EventFilters:
    """The filters of one request.

    Attributes:
        values: the fields that are not empty.
        matching: the conditions.
    """

    values: Mapping[str, str]
    matching: EventFilter

    @classmethod
    def of(cls, fields: Fields) -> EventFilters:
        """Read the filters.

        Raises:
            Refusal: a field has a value that no filter has.
        """
        values = {name: fields.one(name).strip() for name in (*TEXTS, *DAYS)}
        if any(len(one) > _LONGEST or not one.isprintable() for one in values.values()):
            raise nothing_here()
        matching = EventFilter(
            name=values["name"],
            account_id=values["account_id"],
            user_id=values["user_id"],
            failure=values["cause"],
            received_from=_day(values["from"]),
            received_before=_day(values["before"]),
        )
        return cls({name: one for name, one in values.items() if one}, matching)

    def query(self, **more: object) -> str:
        """Return a query with the filters, and with more fields that are not empty."""
        return urlencode({**{name: one for name, one in more.items() if one}, **self.values})

    @property
    def fields(self) -> list[tuple[str, str, str, str]]:
        """The type, name, label and value of each field of the form."""
        return [
            (kind, name, label, self.values.get(name, ""))
            for kind, labels in (("text", TEXTS), ("date", DAYS))
            for name, label in labels.items()
        ]


def _day(value: str) -> int | None:
    if not value:
        return None
    try:
        return int(datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        raise nothing_here() from None
