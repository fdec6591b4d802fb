"""`paraph installations`, as an operator runs it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from cli.commands import run_command
from installing import install
from paraph.lifecycle.context import Context
from paraph.service.context import open_context
from paraph.settings.loading import load_settings


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """The command over those settings, in a narrow terminal."""
    done = run_command(folder, "installations", *arguments, variables={"COLUMNS": "60"})
    return done.code, done.out + done.err


def installed(folder: Path) -> str:
    """One installation; gives its id."""

    async def work() -> str:
        async with open_context(load_settings(folder / "paraph.toml")) as (context, _readiness):
            return await install(context, 1)

    return asyncio.run(work())


def waiting_revocations(folder: Path) -> int:
    """How many tokens still have to die at Zoom."""

    async def count(context: Context) -> int:
        async with context.store.reading() as tx:
            return len(await tx.revocations.due(now=context.now() + 9999, limit=9))

    async def work() -> int:
        async with open_context(load_settings(folder / "paraph.toml")) as (context, _readiness):
            return await count(context)

    return asyncio.run(work())


def test_list_show_and_remove(folder: Path) -> None:
    """The id stands in the list as a whole; what was removed is gone, and Zoom told later."""
    installation_id = installed(folder)
    assert installation_id in run(folder, "list")[1]
    assert "active" in run(folder, "show", installation_id)[1]
    status, said = run(folder, "remove", installation_id)
    assert (0, True) == (status, installation_id in said)
    assert 1 == waiting_revocations(folder)
    for command in ("show", "remove"):
        status, said = run(folder, command, installation_id)
        assert 1 == status
        assert "Traceback" not in said


def test_elsewhere_than_on_a_terminal_nothing_is_cut_or_read_as_markup(folder: Path) -> None:
    """A line for each, with tabs between; a subject that looks like markup is only a text."""
    odd = "tenant:a-subject-that-is-longer-than-a-narrow-terminal-is-wide[/x]"

    async def work() -> str:
        async with open_context(load_settings(folder / "paraph.toml")) as (context, _readiness):
            installation_id = await install(context, 1)
            async with context.store.transaction() as tx:
                link = await tx.links.get(installation_id)
                assert link is not None
                await tx.links.update(replace(link, subject=odd))
            return installation_id

    installation_id = asyncio.run(work())
    code, text = run(folder, "list")
    names, line = text.splitlines()
    assert (0, "installation\tsubject\tphase") == (code, "\t".join(names.split("\t")[:3]))
    assert [installation_id, odd, "active"] == line.split("\t")[:3]
    code, text = run(folder, "show", installation_id)
    assert (0, f"subject\t{odd}") == (code, text.splitlines()[0])


def test_a_name_that_the_output_cannot_write_is_escaped(folder: Path) -> None:
    """An encoding without a character of a name ends no command."""
    installation_id = installed(folder)

    async def rename() -> None:
        async with open_context(load_settings(folder / "paraph.toml")) as (context, _readiness):
            async with context.store.reading() as tx:
                found = await tx.installations.get(installation_id)
            assert found is not None
            async with context.store.transaction() as tx:
                await tx.grants.renew_consent(replace(found.grant, display_name="Zo\xeb \ufffd"))

    asyncio.run(rename())
    done = subprocess.run(
        [sys.executable, "-m", "paraph.cli.main", "installations", "show", installation_id],
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "iso8859-1"},
    )
    assert 0 == done.returncode, done.stderr
    assert b"Zo\xeb \\ufffd" in done.stdout


def test_export(folder: Path) -> None:
    """To the output, or to a new file that only its owner reads; by installation or by user."""
    installation_id = installed(folder)
    status, said = run(folder, "export", installation_id)
    exported = json.loads(said)
    assert (0, installation_id) == (status, exported["links"][0]["installation_id"])
    ids = exported["zoom"]
    by_user = ("--account-id", ids["account_id"], "--user-id", ids["user_id"])
    file = folder / "export.json"
    assert 0 == run(folder, "export", *by_user, "-o", str(file))[0]
    assert (ids, 0o600) == (json.loads(file.read_text())["zoom"], file.stat().st_mode & 0o777)
    again, said = run(folder, "export", *by_user, "-o", str(file))
    assert (2, True) == (again, "Choose another file" in said)
    for wrong in ((), (installation_id, *by_user), ("--user-id", "x")):
        assert 2 == run(folder, "export", *wrong)[0]
    assert 1 == run(folder, "export", "--account-id", "x", "--user-id", "y")[0]
