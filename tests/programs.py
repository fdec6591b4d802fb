"""Programs that some tests need and that not every machine has."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

# Set where everything was installed beforehand: a missing program is a failure there.
ALL_INSTALLED = "PARAPH_TESTS_ALL_INSTALLED"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def skip_test(reason: str) -> NoReturn:
    """Skip the running test because this machine lacks something; in CI that is a failure."""
    if os.environ.get(ALL_INSTALLED):
        pytest.fail(reason)
    pytest.skip(reason)


def need_program(*names: str) -> str:
    """Find the first of some programs, and skip the running test where there is no such program.

    Args:
        names: names of one program, such as `chromium` and `google-chrome`.

    Returns:
        The path of the program.
    """
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        skip_test(f"{names[0]} is not installed on this machine")
    return found
