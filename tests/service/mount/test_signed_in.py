"""The one rule for what a host's function may return as its signed-in account."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from paraph.errors import UsageError
from paraph.integrations.flask import ZoomFlask
from paraph.service.mount.signed_in import subject_text

ID = "0b9d1cf2-4f0e-4d6a-9f0b-0d1f6f0d7c11"


@pytest.mark.parametrize(
    ("answer", "subject"),
    [("jane", "jane"), (42, "42"), (UUID(ID), ID), (None, None), ("", None), (False, None)],
)
def test_an_account_is_a_text_an_int_or_a_uuid(answer: Any, subject: str | None) -> None:
    """None, False and the empty text are a person who is not signed in."""
    assert subject == subject_text(answer)


@pytest.mark.parametrize(
    "answer", [True, object(), 0, 1.0, b"jane", "None", "False", "AnonymousUser", ("jane",)]
)
def test_what_names_no_person_is_no_account(answer: Any) -> None:
    """Visitors who are not signed in must not share an account; the remedy says what to return."""
    with pytest.raises(UsageError, match="names no account") as caught:
        subject_text(answer)
    assert "or None if no person is signed in" in caught.value.remedy


def test_flask_asks_by_the_same_rule() -> None:
    """`current_user.is_authenticated and current_user.id` is False for a signed-out person."""
    assert ZoomFlask(subject_of=lambda: False).subject() is None
    assert "42" == ZoomFlask(subject_of=lambda: 42).subject()
    with pytest.raises(UsageError):
        ZoomFlask(subject_of=object).subject()
