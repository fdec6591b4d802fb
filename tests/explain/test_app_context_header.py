"""The explanation of an X-Zoom-App-Context header."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paraph.explain.app_context_header import explain_app_context
from paraph.explain.capture import request
from vector_files import FOLDER

VECTORS: dict[str, Any] = json.loads((FOLDER / "app_context.json").read_bytes())
VALID: dict[str, Any] = next(one for one in VECTORS["contexts"] if one["result"] == "valid")


def said(*values: str, secrets: tuple[str, ...] = ("",), client_id: str = "") -> str:
    """All lines about a request with these header values."""
    found = explain_app_context(
        request("GET", b"/", [(b"x-zoom-app-context", one.encode()) for one in values], b""),
        client_id=client_id or _given("client_id"),
        client_secrets=[one or _given("client_secret") for one in secrets],
        now=float(VALID.get("now", VECTORS.get("now", 0))),
    )
    return "\n".join(found.lines())


def _given(name: str) -> str:
    return str(VALID.get(name) or VECTORS[name])


def test_a_genuine_context_holds_at_every_step() -> None:
    """The right secret among several, and every step is named."""
    found = said(VALID["header"], secrets=("another-client-secret", ""))
    assert found.endswith("result: accepted"), found
    assert "held      decryption" in found


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ((), "the app context is absent"),
        ((VALID["header"], VALID["header"]), "X-Zoom-App-Context appears 2 times"),
        (("",), "the app context is empty"),
        (("\x1b[2J",), "refused   layout"),
    ],
)
def test_absent_doubled_and_empty_are_told_apart(values: tuple[str, ...], why: str) -> None:
    """Each of them is another accident."""
    found = said(*values)
    assert why in found
    assert "skipped   decryption" in found
    assert "\x1b" not in found
    assert found.endswith("result: refused")
