"""The tutorial on `paraph check`: its app fails the cases that the page names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/tutorials/check.md").read_text(encoding="utf-8")
# An environment with the app and the check is there.
LEFT_OUT = re.compile(r"^(?:python3 -m venv|\. \.venv|pip install).*\n", re.MULTILINE)


@pytest.mark.slow
def test_the_first_report(tmp_path: Path) -> None:
    """The commands of the page describe the app and find its critical mistakes, all of them."""
    pytest.importorskip("flask")
    pytest.importorskip("requests")
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    commands = LEFT_OUT.sub("", "".join(blocks[:3])).replace("html", "json")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-uc", commands],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 1 == ran.returncode, ran.stderr

    report = json.loads((tmp_path / "naive" / "report.json").read_text(encoding="utf-8"))
    failed, passed = (
        {one["id"] for one in report["cases"] if one["verdict"] == verdict}
        for verdict in ("fail", "pass")
    )
    rows = re.findall(r"^\| (`[^|]+) \|", PAGE, re.MULTILINE)
    named = set(re.findall(r"`([\w-]+)`", "".join(rows)))
    # On a busy machine a case may be inconclusive.
    assert [set(), set()] == [failed - named, named & passed]
    assert len(failed) > len(named) - 3
