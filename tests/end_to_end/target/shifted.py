"""`python -m end_to_end.target.shifted FILE ARGUMENTS...`: `paraph` with another clock.

The file holds the seconds by which the clock is ahead; cases that need time to pass write it.
With TARGET_CA_FILE the command trusts the authority in that file.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from pathlib import Path


def main() -> None:
    """Move the clock, then run `paraph`."""
    file = Path(sys.argv.pop(1))
    real = time.time

    def shifted() -> float:
        try:
            return real() + float(file.read_text("ascii") or 0)
        except (OSError, ValueError):
            return real()

    time.time = shifted
    authority = os.environ.get("TARGET_CA_FILE", "")
    if authority:
        import certifi

        certifi.where = lambda: authority
    runpy.run_module("paraph.cli.main", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
