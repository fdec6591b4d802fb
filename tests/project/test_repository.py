"""The repository tests itself: sizes, words, generated documentation, what must not stand here."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import generate
import pytest

from paraph.cli.check_init import CommandWithInit
from paraph.cli.main import app
from paraph.settings.model import Written

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "paraph"
# Alembic's scripts are no package: it finds them by their names.
SCRIPTS = {"paraph/storage/migrations/versions"}
# Django finds commands and template tags in folders of these names.
DJANGO = "paraph/integrations/django"
FOUND_BY_DJANGO = {
    f"{DJANGO}/management",
    f"{DJANGO}/management/commands",
    f"{DJANGO}/templatetags",
}
# One file for each command; one file for each schema step.
OTHER_RULES = {"paraph/cli", "paraph/storage/migrations", *SCRIPTS, *FOUND_BY_DJANGO}


def tracked() -> list[Path]:
    """The files of this repository."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_module_is_two_concepts() -> None:
    """No module is longer than 400 lines."""
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "src").rglob("*.py")
    }

    assert {} == {name: lines for name, lines in lengths.items() if lines > 400}


def folders() -> dict[str, set[str]]:
    """The folders of the package with the names of their modules."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        found.setdefault(str(path.parent.relative_to(PACKAGE.parent)), set()).add(path.stem)
    return found


def test_folders_hold_3_to_18_modules() -> None:
    """A folder holds 3 to 18 modules, and says in one sentence what they have in common."""
    wrong = {
        folder: len(modules)
        for folder, modules in folders().items()
        if folder not in OTHER_RULES
        # A package of two modules and its own `__init__` counts as three.
        and not (len(modules) >= 3 and len(modules - {"__init__"}) <= 18)
    }
    silent = [
        folder for folder in folders() if folder not in SCRIPTS and not generate.sentence_of(folder)
    ]

    assert {} == wrong
    assert [] == silent


def test_the_package_has_at_most_27_folders() -> None:
    """The top of the package can be read at one glance."""
    assert len([one for one in folders() if one.count("/") == 1]) <= 27


def test_requirements_name_no_index() -> None:
    """Pinned with hashes, from whatever index the machine uses."""
    for file in (ROOT / "requirements").glob("*.txt"):
        text = file.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert not re.search(r"https?://", text), file


def test_nothing_names_the_machine_that_made_it() -> None:
    """No path of somebody's home or workplace stands in the tree."""
    found = re.compile(rb"/(?:work/(?:main|trees)|root/|home/[a-z]+/|tmp/bash)")

    assert [] == [str(path) for path in tracked() if found.search(path.read_bytes())]


def test_every_verb_of_the_readme_exists() -> None:
    """A reader can run what the documents say."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert set(re.findall(r"\bmake ([a-z-]+)(?=[\s`])", text)) <= verbs | {"sure"}


def test_every_setting_is_documented() -> None:
    """docs/reference/settings.md names each setting, and none that is not there."""
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", page, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([a-z_]+)`", row)]

    assert sorted(named) == sorted(Written.model_fields)


def commands_in(text: str) -> Iterator[list[str]]:
    """What a document says about the command line, each command as its words."""
    block = re.compile(r"^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
    lines = [line.strip() for one in block.findall(text) for line in one.splitlines()]
    inline = re.findall(r"`(paraph [^`]+)`", block.sub("", text))
    for line in (*lines, *inline):
        if line.startswith("paraph "):
            yield shlex.split(line, comments=True)[1:]


def test_every_command_of_the_documents_exists() -> None:
    """Its options too, and where options are shown, all that it needs are among them."""
    seen = 0
    # The changelog names commands in its own short way.
    documents = {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")} - {ROOT / "CHANGELOG.md"}
    for document in documents:
        for words in commands_in(document.read_text(encoding="utf-8")):
            command: click.Command = app
            rest = list(words)
            # A command keeps the help option of the first context that it sees.
            context = app.make_context("paraph", [], resilient_parsing=True)
            while rest and isinstance(command, click.Group):
                found = command.get_command(context, rest.pop(0))
                assert found is not None, f"{document.name}: {words}"
                command = found
            if rest and isinstance(command, CommandWithInit):
                command = command.commands.get(rest[0], command)
            given = {word.partition("=")[0] for word in rest if word.startswith("--")}
            known = {name for one in command.get_params(context) for name in one.opts}
            needed = {one.opts[0] for one in command.params if one.required and "-" in one.opts[0]}
            assert given <= known, f"{document.name}: {words}"
            assert not given or needed <= given, f"{document.name}: {words}"
            seen += 1

    assert seen > 20


def test_every_link_of_the_documents_leads_somewhere() -> None:
    """Relative links of the README and docs name files that exist."""
    for document in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(
            r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")
        ):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
