"""Scenario files: what is read, and how a mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from paraph.errors import ConfigurationError
from paraph.simulator.scenarios.scenario_file import load_scenario
from paraph.simulator.scenarios.steps import Send, Start, name_of

HEAD = 'title = "x"\nstart_url = "http://127.0.0.1:8000/install"\n'


def load(folder: Path, text: str) -> list[str]:
    """The problems of a file, without its path."""
    path = folder / "one.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_scenario(path)
    assert "docs/reference/simulator.md" in caught.value.remedy
    return [problem.removeprefix(str(path)) for problem in caught.value.problems]


def test_steps_are_read_with_their_types_and_lines(tmp_path: Path) -> None:
    """Each table has the type that `do` names, and its line in the file."""
    text = f'{HEAD}\n[[steps]]\ndo = "start"\n\n[[steps]]\ndo = "send"\nevent = "a.b"\n'
    path = tmp_path / "one.toml"
    path.write_text(text)
    loaded = load_scenario(path)
    assert [Start, Send] == [type(one) for one in loaded.scenario.steps]
    assert ["start", "send"] == [name_of(one) for one in loaded.scenario.steps]
    assert [4, 7] == [loaded.lines.of_step(at) for at in range(2)]


def test_a_start_url_that_is_no_url_is_named(tmp_path: Path) -> None:
    """It is refused when the file is read, with its line."""
    text = 'title = "x"\nstart_url = "http://[::1"\n[[steps]]\ndo = "check"\n'
    assert [":2: start_url: Invalid IPv6 URL"] == load(tmp_path, text)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('[[steps]]\ndo = "start"\n[[steps]]\ndo = "stard"\n', ":6: step 2 (stard): do: Invalid"),
        ('[[steps]]\ndo = "send"\n', ":3: step 1 (send): Object missing required field `event`"),
        ('[[steps]]\ndo = "send"\nevent = 3\n', ":5: step 1 (send): event: Expected `str`"),
        (
            '[[steps]]\ndo = "send"\nevent = "a"\n[steps.expect]\nstatuss = 200\n',
            ":7: step 1 (send): expect: Object contains unknown field `statuss`",
        ),
        (
            '[[steps]]\ndo = "send"\nevent = "a"\nexpect = { status = 999 }\n',
            ":6: step 1 (send): expect.status: Expected `int` <= 599",
        ),
        (
            '[[steps]]\ndo = "send"\nevent = "a"\nfaults = { no_such = {} }\n',
            ":3: step 1 (send): there is no fault named no_such",
        ),
        (
            '[[steps]]\ndo = "fault_on"\nname = "token_slow"\nsettings = { second = 1 }\n',
            ":3: step 1 (fault_on): token_slow has no parameter second",
        ),
        ('[[steps]]\ndo = "end_token"\nuser = "no"\n', ":3: step 1 (end_token): there is no such"),
        ('[[steps]]\ndo = "wait"\n', ":3: step 1 (wait): it needs exactly one of"),
        (
            '[[steps]]\ndo = "clock"\nadvance = 1\nexpect = { status = 200 }\n',
            ":3: step 1 (clock): expect.status and expect.text need a step",
        ),
        (
            '[[steps]]\ndo = "deauthorize"\nvariant = "no"\n',
            ":3: step 1 (deauthorize): there is no variant no",
        ),
        (
            'about = """\n[[steps]]\n"""\n[[steps]]\ndo = "check"\nnot = 1\n',
            ":8: step 1 (check): Object contains unknown field `not`",
        ),
        ("steps = 3\n", ":3: steps: Expected `array`"),
        ("steps = []\n", " has no steps"),
        ("x = = 1\n", " is not TOML: Invalid value (at line 3"),
    ],
)
def test_a_mistake_is_named_with_line_step_and_key(
    tmp_path: Path, body: str, expected: str
) -> None:
    """A wrong file is refused; the problem begins with the line, then names step and key."""
    (problem,) = load(tmp_path, HEAD + body)
    assert expected == problem[: len(expected)]


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    """Mistakes that the types do not show are reported together."""
    text = 'title = "x"\n[[steps]]\ndo = "start"\n[[steps]]\ndo = "wait"\nseconds = 1\nurl = "x"\n'
    assert [":2: step 1 (start)", ":4: step 2 (wait)"] == [
        problem.rpartition(": ")[0].partition(": url")[0] for problem in load(tmp_path, text)
    ]


def test_a_world_stands_beside_its_scenario(tmp_path: Path) -> None:
    """`world` is relative to the scenario, and its users are those that the steps may name."""
    (tmp_path / "world.toml").write_text('[[users]]\nid = "u1"\nemail = "ann@example.com"\n')
    text = 'title = "x"\nworld = "world.toml"\n[[steps]]\ndo = "end_token"\nuser = '
    (tmp_path / "two.toml").write_text(text + '"ann@example.com"\n')
    assert 1 == len(load_scenario(tmp_path / "two.toml").world.users)
    assert 1 == len(load(tmp_path, text + '"jane@example.com"\n'))
