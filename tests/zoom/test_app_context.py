"""App contexts: known answers, spoiled ones in the manner of Wycheproof, and noise."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.errors import AppContextRejected, DeliveryRejected
from paraph.secret import Secret
from paraph.zoom.app_context import VERIFICATION_STEPS, AppContext, open_app_context, step_of

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "app_context.json").read_bytes())
VALID = [vector for vector in VECTORS["contexts"] if vector["result"] == "valid"]
INVALID = [vector for vector in VECTORS["contexts"] if vector["result"] == "invalid"]


def comment_of(vector: dict[str, Any]) -> str:
    """The vector's own words as the name of the test."""
    return str(vector["comment"])


def open_vector(vector: dict[str, Any]) -> AppContext:
    """The vector's header, opened with its secret and clock."""
    return open_app_context(
        vector["header"].encode("latin-1"),
        client_secret=Secret(vector["client_secret"]),
        client_id=vector["client_id"],
        now=vector["now"],
    )


@pytest.mark.parametrize("vector", VALID, ids=comment_of)
def test_true_contexts_are_opened(vector: dict[str, Any]) -> None:
    """Every lawful form opens to the same claims, times in seconds."""
    context = open_vector(vector)
    found = {name: getattr(context, name) for name in vector["expected"]}
    assert vector["expected"] == found


@pytest.mark.parametrize("vector", INVALID, ids=comment_of)
def test_false_contexts_are_refused_at_their_step(vector: dict[str, Any]) -> None:
    """Every spoiled context is refused, and the refusal names the step that guards against it."""
    with pytest.raises(AppContextRejected) as refusal:
        open_vector(vector)
    step = step_of(refusal.value)
    assert step is not None
    assert vector["step"] == step.name


@pytest.mark.parametrize("length", range(0, len(VALID[0]["header"]), 7))
def test_a_context_cut_anywhere_is_refused(length: int) -> None:
    """No prefix of a good header is a good header."""
    vector = VALID[0]
    with pytest.raises(AppContextRejected):
        open_vector({**vector, "header": vector["header"][:length]})


def test_all_claims_stay_readable() -> None:
    """What the kit has no field for is handed on as it came."""
    assert open_vector(VALID[0]).claims["act"] == ""


def test_a_context_shows_no_user() -> None:
    """The ids of user and meeting stay out of logs."""
    context = open_vector(VALID[0])
    assert context.uid is not None
    assert context.uid not in repr(context)


def test_every_step_can_be_told_from_the_others() -> None:
    """Each step finds itself by its own error."""
    found = [step_of(step.refusal(step.detail)) for step in VERIFICATION_STEPS]
    assert list(VERIFICATION_STEPS) == found


def test_foreign_errors_belong_to_no_step() -> None:
    """A webhook's refusal is not explained as an app context's."""
    assert step_of(DeliveryRejected()) is None


@given(st.binary(max_size=300) | st.binary(max_size=300).map(base64.urlsafe_b64encode))
def test_whatever_arrives_is_refused_politely(header: bytes) -> None:
    """Bytes that Zoom did not seal end in AppContextRejected, whatever they are."""
    with pytest.raises(AppContextRejected):
        open_app_context(header, client_secret=Secret("s" * 32), client_id="client", now=0.0)


@given(st.integers(min_value=0))
def test_no_bit_can_be_changed(flipped: int) -> None:
    """A single changed bit, wherever it is, spoils the whole context."""
    content = bytearray(base64.urlsafe_b64decode(VALID[0]["header"] + "=="))
    place = flipped % (len(content) * 8)
    content[place // 8] ^= 1 << place % 8
    header = base64.urlsafe_b64encode(content).decode()
    with pytest.raises(AppContextRejected):
        open_vector({**VALID[0], "header": header})
