"""Vectors: cases as JSON, so that another implementation can be judged by them too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "vectors"


def cases(name: str) -> list[Any]:
    """The cases of a vector file as pytest parameters, named by their comments."""
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(case, id=case["comment"]) for case in content["cases"]]
