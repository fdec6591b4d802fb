"""Parts whose extra is not installed, and what runs without any extra."""

from __future__ import annotations

import hashlib
import hmac
import time
from pathlib import Path

import pytest

import paraph
from base_installation import Ended, run_commands, run_imports
from paraph.extras import EXTRA_OF, MissingExtra, extra_of, needs

# Public names and imports, with what each one says.
IMPORTS = {
    "from paraph import Zoom": ("paraph.Zoom", "service"),
    "from paraph import Settings": ("paraph.Settings", "service"),
    "from paraph import load_settings": ("paraph.load_settings", "service"),
    "from paraph import Client": ("paraph.client", "client"),
    "from paraph.installs import InstallFlow": ("paraph.installs.InstallFlow", "installs"),
    "from paraph import SyncZoom": ("paraph.SyncZoom", "service"),
    "import paraph.client": ("paraph.client", "client"),
    "from paraph import SimulatedZoom; SimulatedZoom()": ("paraph.SimulatedZoom", "simulator"),
}
COMMANDS = {
    ("serve",): "service",
    ("demo",): "service",
    ("migrate",): "service",
    ("backup", "file"): "service",
    ("keys", "status"): "service",
    ("api-keys", "list"): "service",
    ("installations", "list"): "service",
    ("events", "list"): "service",
    ("audit", "verify"): "service",
    ("simulate",): "simulator",
    ("check", "target.toml"): "check",
}

# Explanations that open what Zoom or paraph has encrypted.
SEALED = ("context", "redirect")


def test_names_say_what_to_install(tmp_path: Path) -> None:
    """A public name whose extra is missing raises MissingExtra, one line with the command."""
    found = run_imports(tmp_path, list(IMPORTS))

    for text, (part, extra) in zip(found, IMPORTS.values(), strict=True):
        assert text.startswith(f"MissingExtra: {part} needs ")
        assert text.endswith(f'which is not installed: pip install "paraph[{extra}]"')
        assert "\n" not in text


def test_every_public_name_works_or_names_its_extra(tmp_path: Path) -> None:
    """A public name can be had from the base installation, or its error names the right extra."""
    found = run_imports(tmp_path, [f"from paraph import {name}" for name in paraph.__all__])

    for name, text in zip(paraph.__all__, found, strict=True):
        extra = extra_of(paraph._PLACES[name])
        assert not text or text.endswith(f'which is not installed: pip install "paraph[{extra}]"')
        assert not text or text.startswith("MissingExtra: paraph.")


def test_commands_say_what_to_install(tmp_path: Path) -> None:
    """A command whose extra is missing prints one line with the command, and exits with 2."""
    found = run_commands(tmp_path, list(COMMANDS))

    for (words, extra), ended in zip(COMMANDS.items(), found, strict=True):
        assert (2, "") == (ended.code, ended.out)
        assert ended.err.startswith(f"paraph: `paraph {words[0]}` needs ")
        assert ended.err.endswith(f' which is not installed: pip install "paraph[{extra}]"\n')
        assert 1 == ended.err.count("\n")


def signed_request(folder: Path) -> list[str]:
    """The words that explain a genuine delivery, written into a file."""
    now, body = int(time.time()), b'{"event":"meeting.ended","event_ts":1,"payload":{}}'
    mac = hmac.new(b"a-secret-of-length", b"v0:%d:%b" % (now, body), hashlib.sha256).hexdigest()
    head = f"x-zm-request-timestamp: {now}\r\nx-zm-signature: v0={mac}\r\n\r\n".encode()
    (folder / "request").write_bytes(b"POST /webhook HTTP/1.1\r\n" + head + body)
    return ["explain", "webhook", "request", "--secret", "a-secret-of-length"]


def test_the_base_installation_runs_what_it_has(tmp_path: Path) -> None:
    """Help, version, a new key and the explanation of a delivery need click alone."""
    version, text, key, explained = run_commands(
        tmp_path, [["--version"], ["-h"], ["keys", "new"], signed_request(tmp_path)]
    )

    assert Ended(0, "paraph 0.1.0\n", "") == version
    assert (0, True) == (text.code, "explain" in text.out)
    assert (0, True) == (key.code, ":" in key.out)
    assert (0, "") == (explained.code, explained.err)
    assert "signature" in explained.out


def test_explaining_what_is_encrypted_needs_the_extra_of_installs(tmp_path: Path) -> None:
    """`paraph explain context` and `redirect` need the cryptography library, and nothing more."""
    context, redirect = run_commands(tmp_path, [["explain", one, "-"] for one in SEALED])

    for ended, kind in ((context, "context"), (redirect, "redirect")):
        assert 2 == ended.code
        assert (
            f"paraph: `paraph explain {kind}` needs cryptography, which is not installed: "
            'pip install "paraph[installs]"\n'
        ) == ended.err


def test_the_plugin_of_pytest_is_loaded_without_the_simulator(tmp_path: Path) -> None:
    """Where only paraph itself is installed its pytest plugin loads, and does nothing."""
    fake = "import sys, types; sys.modules['pytest'] = it = types.ModuleType('pytest'); "
    fake += "it.fixture = lambda one=None, **_: one or (lambda two: two); "

    assert [""] == run_imports(tmp_path, [fake + "import paraph.simulator.pytest_plugin"])


def test_other_failures_stay_as_they_are() -> None:
    """A module of paraph or of Python that is missing is no missing extra."""
    for name in ("paraph.no_such_module", "asyncio.no_such_module"):
        with pytest.raises(ModuleNotFoundError) as caught, needs("service", "it"):
            __import__(name)
        assert not isinstance(caught.value, MissingExtra)
    with pytest.raises(ModuleNotFoundError) as without, needs("", "it"):
        __import__("no_such_package")
    assert not isinstance(without.value, MissingExtra)


def test_the_inner_part_is_named() -> None:
    """Where blocks stand inside each other, the innermost names part and extra."""
    with (
        pytest.raises(ImportError, match="inner needs no_such_package") as caught,
        needs("service", "outer"),
        needs("client", "inner"),
    ):
        __import__("no_such_package.inner")
    assert isinstance(caught.value, paraph.MissingExtra)
    assert ("client", "no_such_package") == (caught.value.extra, caught.value.name)


def test_the_longest_name_decides() -> None:
    """A module belongs to the extra of the nearest package that the table names."""
    assert ("nats", "service") == (extra_of("paraph.events.jetstream"), extra_of("paraph.events.x"))
    assert "" == extra_of("paraph.zoom.webhook_verification")
    assert "paraph.zoom" not in EXTRA_OF
