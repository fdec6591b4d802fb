"""`paraph simulate` as a developer runs it: what it says, what stops it, how it ends."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from cli.commands import run_command
from paraph.simulator.state.world import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET

JANE = "KDcuGIm1QgePTO8WbOqwIQ"
ZOOM_NAMES = ("zoom.us", "api.zoom.us", "marketplace.zoom.us")


@contextmanager
def simulating(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command with these arguments on a free port, and where it listens."""
    command = [sys.executable, "-m", "paraph.cli.main", "simulate", "--port", "0", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            word, url = process.stdout.readline().split()
            assert "listening" == word
            yield process, url
        finally:
            process.kill()


def failure(*arguments: str) -> tuple[int, list[str]]:
    """Exit code and lines of a start that must fail."""
    command = [sys.executable, "-m", "paraph.cli.main", "simulate", "--port", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    assert "" == done.stdout
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_cleanly(how: signal.Signals) -> None:
    """The first line is `listening URL`, and being told to stop is no failure: exit code 0."""
    with simulating() as (process, url):
        assert 200 == httpx.get(f"{url}/_simulator/world", trust_env=False).status_code
        process.send_signal(how)
        assert process.stdout is not None and process.stderr is not None
        said, errors = process.stdout.read(), process.stderr.read()
        process.wait(timeout=30)

    assert 0 == process.returncode
    assert "" == errors
    assert f"client_id      {DEFAULT_CLIENT_ID}" in said
    assert f"listing        {url}/marketplace/{DEFAULT_CLIENT_ID}" in said


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("[zom]\nstrict = true\n", "zom"),
        ('[[apps]]\nclient_id = "a"\nclient_secret = "b"\nredirect_uri = "x"\n', "redirect_uri"),
        ('[[apps]]\nclient_id = "a"\n', "client_secret"),
        ('[zoom]\nstrict = "yes"\n', "zoom.strict"),
        ("x = = 1", "line 1"),
    ],
)
def test_a_wrong_world_file_is_named(tmp_path: Path, toml: str, named: str) -> None:
    """An unknown key, a missing one or a wrong type stops the start, by name."""
    world = tmp_path / "world.toml"
    world.write_text(toml)

    code, (problem, _remedy) = failure("--world", str(world))

    assert 2 == code
    assert f"paraph: {world}: " == problem[: len(f"paraph: {world}: ")]
    assert named in problem


def test_a_certificate_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """Files that are missing, or no certificate, stop the start in two lines."""
    nothing, text = tmp_path / "nothing.pem", tmp_path / "text.pem"
    text.write_text("no certificate")

    assert 2 == failure("--tls-certificate", str(text))[0]
    for path in (nothing, text):
        code, lines = failure("--tls-certificate", str(path), "--tls-key", str(path))
        assert (2, 2) == (code, len(lines))
        assert f"{path} and {path} cannot be used" in lines[0]


def test_auto_consent_needs_a_known_user() -> None:
    """--auto-consent names a user of the world."""
    assert (2, "paraph: --auto-consent: the world has no user nobody") == (
        (said := failure("--auto-consent", "nobody"))[0],
        said[1][0],
    )


@pytest.fixture
def tls(tmp_path: Path) -> tuple[str, ssl.SSLContext]:
    """A throw-away authority's certificate for Zoom's names, and a trust in it."""
    authority = trustme.CA()
    chain = tmp_path / "zoom.pem"
    authority.issue_cert(*ZOOM_NAMES).private_key_and_cert_chain_pem.write_to_path(chain)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    return str(chain), trust


def test_it_serves_zooms_names_over_tls(tls: tuple[str, ssl.SSLContext]) -> None:
    """Whoever calls it by Zoom's names is answered, and pointed on, by Zoom's names."""
    chain, trust = tls
    arguments = ("--tls-certificate", chain, "--tls-key", chain, "--auto-consent", JANE)
    with simulating(*arguments) as (_, url), httpx.Client(verify=trust, trust_env=False) as client:
        port = url.rpartition(":")[2]

        def call(method: str, name: str, path: str, **more: Any) -> httpx.Response:
            """A call that believes it speaks with one of Zoom's hosts."""
            return client.request(
                method,
                f"{url}{path}",
                extensions={"sni_hostname": name},
                **{**more, "headers": {"host": f"{name}:{port}", **more.get("headers", {})}},
            )

        app = (DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET)
        redirect = "http://127.0.0.1:8000/oauth/redirect"
        query = {"response_type": "code", "client_id": app[0], "redirect_uri": redirect}
        asked = call("GET", "zoom.us", "/oauth/authorize", params=query)
        code = httpx.URL(asked.headers["location"]).params["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect}
        tokens = call("POST", "zoom.us", "/oauth/token", data=form, auth=app).json()
        bearer = {"authorization": f"Bearer {tokens['access_token']}"}
        me = call("GET", "api.zoom.us", "/v2/users/me", headers=bearer)
        device = call("POST", "zoom.us", "/oauth/devicecode", auth=app).json()
        listing = call("GET", "marketplace.zoom.us", f"/marketplace/{app[0]}")

    assert f"https://api.zoom.us:{port}" == tokens["api_url"]
    assert JANE == me.json()["id"]
    assert f"https://zoom.us:{port}/oauth_device" == device["verification_uri"]
    assert 200 == listing.status_code


SCENARIO = """
title = "An unsigned request of the REST API"
[[steps]]
do = "request"
url = "${zoom}/v2/users/me"
expect = { status = 401 }
[[steps]]
do = "check"
expect = { requests = [{ path = "/v2/users/me", count = 1 }] }
"""


@pytest.mark.parametrize(
    ("text", "code", "said", "error"),
    [
        (SCENARIO, 0, "passed: 2 steps", ""),
        (SCENARIO.replace("401", "200"), 1, "one.toml:3: expected status 200, the app's", ""),
        (SCENARIO.replace('"check"', '"chek"'), 2, "", "one.toml:8: step 2 (chek): do: Invalid"),
    ],
)
def test_a_scenario_ends_with_its_exit_code(
    tmp_path: Path, text: str, code: int, said: str, error: str
) -> None:
    """0: every step passed; 1: one failed, with its line; 2: the file is wrong."""
    (tmp_path / "one.toml").write_text(text)
    done = run_command(tmp_path, "simulate", "--port", "0", "--scenario", "one.toml")
    assert code == done.code
    assert said in done.out
    assert error in done.err


def test_a_scenario_needs_a_free_port_of_this_machine(tmp_path: Path) -> None:
    """A port that is taken, another host and options of a running Zoom are refused."""
    (tmp_path / "one.toml").write_text(SCENARIO)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_command(tmp_path, "simulate", "--port", port, "--scenario", "one.toml")
    assert (2, "") == (done.code, done.out)
    assert f"cannot listen on 127.0.0.1:{port}" in done.err
    words = ("simulate", "--scenario", "one.toml", "--host", "0.0.0.0")
    assert 2 == run_command(tmp_path, *words).code
