"""What `import paraph` offers, and what it does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

import paraph
import paraph.client


def test_every_public_name_is_there() -> None:
    """Each listed name can be had; another is an AttributeError."""
    for name in paraph.__all__:
        assert getattr(paraph, name).__name__ == name
    assert sorted(paraph.__all__) == dir(paraph)
    assert not hasattr(paraph, "something_else")


def test_names_of_version_0_1_warn() -> None:
    """The old name of a value still works, with a warning that says the new one."""
    with pytest.warns(DeprecationWarning, match="use ZoomResponse"):
        assert paraph.ZoomResponse is paraph.ZoomAnswer
    with pytest.warns(DeprecationWarning, match="use ZoomResponse"):
        assert paraph.ZoomResponse is paraph.client.ZoomAnswer


def test_importing_paraph_loads_nothing_heavy() -> None:
    """No server, no database library, no HTTP client comes with the bare import."""
    code = "import sys, paraph; print([m for m in sys.modules if m.split('.')[0] in %r])"
    heavy = ("sqlalchemy", "starlette", "fastapi", "httpx", "uvicorn", "pydantic", "cryptography")
    done = subprocess.run(
        [sys.executable, "-c", code % (heavy,)], capture_output=True, text=True, check=True
    )
    assert "[]" == done.stdout.strip()


def test_the_client_loads_no_part_of_the_service() -> None:
    """A host that takes the client alone needs httpx and nothing of the service."""
    code = "import sys, paraph.client; print([m for m in sys.modules if m.split('.')[0] in %r])"
    heavy = ("sqlalchemy", "starlette", "fastapi", "uvicorn", "pydantic", "cryptography")
    done = subprocess.run(
        [sys.executable, "-c", code % (heavy,)], capture_output=True, text=True, check=True
    )
    assert "[]" == done.stdout.strip()
