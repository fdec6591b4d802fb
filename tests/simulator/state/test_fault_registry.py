"""Faults: declared, listed, switched on and off, counted down, composed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import paraph.simulator
from paraph.errors import NotFound, UsageError
from paraph.simulator.faults import Faults
from paraph.simulator.response import AuthorizationResponse, ResponseDraft


def token_response() -> ResponseDraft:
    """A good token response."""
    return ResponseDraft.of_json(
        200, {"access_token": "a", "token_type": "bearer", "expires_in": 3599}
    )


def names(place: str) -> list[str]:
    """The faults of one place."""
    return [row["name"] for row in Faults().listing() if row["place"] == place]


def test_every_fault_is_listed_with_documentation() -> None:
    """The list names at least forty faults, each with a sentence of its own, none switched on."""
    rows = Faults().listing()
    sentences = [row["documentation"] for row in rows]
    assert len(rows) >= 40
    assert len(set(sentences)) == len(sentences)
    assert all(text.endswith(".") and len(text) > 15 for text in sentences)
    assert not any(row["on"] for row in rows)


def test_a_fault_counts_down() -> None:
    """With `times` a fault strikes that often and is off afterwards."""
    faults = Faults()
    faults.switch_on("code_reuse_accepted", {"times": 2})
    assert [True, True, False] == [faults.take("code_reuse_accepted") for _ in range(3)]
    assert not any(row["on"] for row in faults.listing())


def test_a_fault_lets_occasions_pass() -> None:
    """With `after` a fault strikes only when that many occasions have passed."""
    faults = Faults()
    faults.switch_on("code_reuse_accepted", {"after": 2, "times": 1})
    assert [False, False, True, False] == [faults.take("code_reuse_accepted") for _ in range(4)]


def test_faults_compose() -> None:
    """Each fault takes the answer that the one before it made."""
    faults = Faults()
    faults.switch_on("token_type_unknown", {"value": "DPoP"})
    faults.switch_on("token_expires_in_text", {})
    faults.switch_on("token_slow", {"seconds": 3})
    draft = faults.spoil("token", token_response())
    assert {"access_token": "a", "token_type": "DPoP", "expires_in": "3600"} == draft.content()
    assert 3.0 == draft.delay


def test_a_fault_that_finds_no_object_leaves_it() -> None:
    """A fault of the shape behind one that made a page of it changes nothing, and never fails."""
    faults = Faults()
    faults.switch_on("token_html", {})
    for name in names("token"):
        if name not in {"token_redirect", "token_error_200", "token_cut"}:
            faults.switch_on(name, {})
    draft = faults.spoil("token", token_response())
    assert 200 == draft.status


@pytest.mark.parametrize("place", ["token", "user"])
def test_every_fault_of_a_place_changes_the_response(place: Any) -> None:
    """No fault of the token response or the profile leaves a good answer as it was."""
    whole = {
        "access_token": "a",
        "token_type": "bearer",
        "expires_in": 3599,
        "refresh_token": "r",
        "scope": "user:read:user meeting:read:meeting",
        "api_url": "https://api.zoom.us",
        "id": "KDcuGIm1QgePTO8WbOqwIQ",
        "account_id": "AbcDEFghiJKLmnoPQRst01",
        "verified": 1,
        "display_name": "Jane Dev",
    }
    for name in names(place):
        faults = Faults()
        faults.switch_on(name, {})
        assert ResponseDraft.of_json(200, whole) != faults.spoil(
            place, ResponseDraft.of_json(200, whole)
        ), name


@pytest.mark.parametrize("place", ["token_refusal", "revoke_refusal", "api_refusal"])
def test_every_refusal_responds_or_delays(place: Any) -> None:
    """A fault that strikes before the work is done has an answer of its own, or only waits."""
    for name in names(place):
        faults = Faults()
        faults.switch_on(name, {})
        draft = faults.spoil(place, ResponseDraft(0, b""))
        assert draft.status >= 300 or draft.delay == 60.0, name


def test_every_fault_of_the_redirect_changes_it() -> None:
    """No fault of the authorization endpoint leaves the redirect as it was."""

    def good() -> AuthorizationResponse:
        return AuthorizationResponse(
            uri="https://app.example/cb",
            parameters=[("code", "c0de"), ("state", "st4te")],
            primary_uri="https://app.example/first",
        )

    for name in names("authorization"):
        faults = Faults()
        faults.switch_on(name, {})
        assert good() != faults.spoil("authorization", good()), name


@pytest.mark.parametrize(
    "parameters",
    [
        {"times": 0},
        {"times": True},
        {"times": "1"},
        {"after": -1},
        {"seconds": "long"},
        {"seconds": True},
        {"minutes": 1},
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(parameters: dict[str, Any]) -> None:
    """Parameters have the type of their default, and unknown ones are refused by name."""
    with pytest.raises(UsageError):
        Faults().switch_on("token_slow", parameters)


def test_an_unknown_fault_is_refused() -> None:
    """A name that no fault has is an error when it is switched on, off, or asked for."""
    faults = Faults()
    for use in (lambda n: faults.switch_on(n, {}), faults.switch_off, faults.take):
        with pytest.raises(NotFound):
            use("no_such_fault")


def test_every_check_is_left_out_somewhere() -> None:
    """Each fault that leaves out a check is asked for by an endpoint, and none that is unknown."""
    folder = Path(paraph.simulator.__path__[0])
    source = "".join(file.read_text() for file in folder.rglob("*.py"))
    asked = set(re.findall(r'\.take\("(\w+)"\)', source))
    known = {row["name"] for row in Faults().listing()}
    assert set() == asked - known
    assert set() == set(names("check")) - asked
