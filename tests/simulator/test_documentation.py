"""The simulator's page is true: its examples run, and its tables are those of the code."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.scenarios.scenario_file import load_scenario
from paraph.simulator.scenarios.steps import (
    STEPS,
    AnyStep,
    DeliveryMatch,
    Expectations,
    RequestMatch,
)
from paraph.simulator.state.world import load_world
from programs import need_program
from simulator.receiver import receiving

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "simulator.md"
TEXT = PAGE.read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    """The page's code of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def generator() -> ModuleType:
    """The script behind `make docs`."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_are_up_to_date() -> None:
    """`make docs` would change nothing: every table is what the code says now."""
    for path, text in generator().pages().items():
        assert text == path.read_text(encoding="utf-8"), f"{path.name}: run make docs"


def test_the_page_opens_with_its_limits() -> None:
    """The limits and the intended differences are the first sections."""
    headings = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert ["Limits", "Intended differences"] == headings[:2]


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.splitlines()[0][2:])
def test_python_examples_pass(code: str, tmp_path: Path) -> None:
    """Each Python example is a test file that passes by itself, with the installed fixture."""
    name = code.splitlines()[0].removeprefix("# ")
    (tmp_path / name).write_text(code)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("code", blocks("js"))
def test_the_node_example_passes(code: str, tmp_path: Path) -> None:
    """The example for other languages runs under Node, where there is one."""
    node = need_program("node")
    (tmp_path / "zoom.test.mjs").write_text(code)
    ran = subprocess.run(
        [node, "--test", "zoom.test.mjs"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
    )
    assert 0 == ran.returncode, ran.stdout + ran.stderr


def test_the_control_api_examples_run(simulated: SimulatedZoom) -> None:
    """Every call of the reference is answered without an error, in the order of the page."""
    for program in ("curl", "jq", "sh"):
        need_program(program)
    with receiving() as receiver:
        receiver.secret = simulated.app.webhook_secret
        script = "\n".join(["set -eu", *blocks("sh")])
        # The world as loaded is what its own reset goes back to, so the URLs are put there.
        for world in (simulated.simulator.world, simulated.simulator._loaded):
            world.apps[0].event_url = world.apps[0].deauthorization_url = receiver.url
        ran = subprocess.run(
            ["sh", "-c", script],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "ZOOM": simulated.url},
        )
    assert (0, "") == (ran.returncode, ran.stderr), ran.stdout
    assert '"passed":true' in ran.stdout
    assert '{"error"' not in ran.stdout


def test_every_control_call_is_in_the_reference(simulated: SimulatedZoom) -> None:
    """A call that the control API has, and the page does not name, is not documented."""
    from simulator.openapi import routes_of

    calls = {
        f"{method} {path.removeprefix('/_simulator')}"
        for method, path in routes_of(simulated.simulator)
        if path.startswith("/_simulator/") and method != "HEAD" and ":path" not in path
    }
    missing = {
        call for call in calls if f"`{re.sub('{.*?}', '{', call)}" not in re.sub("{.*?}", "{", TEXT)
    }
    assert set() == missing


def test_every_call_of_the_fixture_is_named() -> None:
    """A public name of `SimulatedZoom` that the page does not name is not documented."""
    public = {name for name in dir(SimulatedZoom) if not name.startswith("_")}
    assert set() == {name for name in public - {"start", "stop"} if name not in TEXT}


def test_the_world_file_of_the_page_is_one(tmp_path: Path) -> None:
    """The example of a world file is read without a complaint."""
    toml, _scenario = blocks("toml")
    path = tmp_path / "world.toml"
    path.write_text(toml)
    assert "cid" == load_world(path).apps[0].client_id


def test_the_scenario_of_the_page_is_one(tmp_path: Path) -> None:
    """The example of a scenario is read without a complaint."""
    _world, toml = blocks("toml")
    path = tmp_path / "scenario.toml"
    path.write_text(toml)
    assert 3 == len(load_scenario(path).scenario.steps)


def test_every_step_and_key_of_a_scenario_is_named() -> None:
    """A step or key that the page does not name is not documented."""
    shapes = [*get_args(AnyStep), Expectations, RequestMatch, DeliveryMatch]
    keys = {key for shape in shapes for key in shape.__struct_fields__}
    section = TEXT.partition("## Scenarios")[2].partition("## Control API")[0]
    named = set(re.findall(r"`(\w+)[`\s]", section))
    assert set() == {*STEPS, *keys} - named
