"""The evidence pack says how each statement is known, and holds no secret."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from cli.commands import run_command
from operations.findings.set_ups import KEY, LARGE, LOCAL, VALUES, examined, facts_of
from paraph.errors import ConfigurationError
from paraph.operations.probes.facts import NotChecked, TlsFacts
from paraph.review.data_flow import data_flow_svg
from paraph.review.dependencies import cyclonedx, installed_packages
from paraph.review.earlier_reports import (
    CheckReport,
    KeptAnswer,
    LiveReport,
    load_check_report,
    load_live_report,
)
from paraph.review.evidence import Reports, build_pack
from paraph.review.pack import Pack, Picture, Section, Statement, Table, to_html, to_markdown
from paraph.review.printing import find_browser, print_page

ROOT = Path(__file__).parents[2]
SECRETS = ["kF93-2bXq0-Zr8sLpW", "hN71_0cYwe-Ty6dRmVq", KEY.partition(":")[2]]
HOSTILE = "<img src=x onerror=alert(1)> [x](https://evil.example) ![p](//evil.example) | `a` *b*"
CHECK = {
    "target": "app.toml",
    "started_at": "2026-11-29T10:00:00Z",
    "profile": "standard",
    "summary": {"pass": 1, "fail": 1},
    "self_test": {"cases": 120},
    "cases": [
        {"id": "cb-x", "severity": "high", "verdict": "fail", "reason": "<script>1</script>"},
        {"id": "cb-y", "severity": "high", "verdict": "pass", "reason": ""},
    ],
}
LIVE = LiveReport(
    "2026-11-29T11:00:00Z", "https://zoom.us", [KeptAnswer("other-redirect", refused=True)]
)


def pack_of(folder: Path, values: object = VALUES, **changes: object) -> Pack:
    """The pack of one of the sound set-ups, with changed facts."""
    assert isinstance(values, dict)
    facts = replace(facts_of(folder, values), **changes)  # type: ignore[arg-type]
    assert facts.settings is not None
    check = msgspec.convert(CHECK, CheckReport)
    reports = Reports(check=check, live=LIVE, packages=[("starlette", "1.0", "BSD-3-Clause")])
    return build_pack(facts, facts.settings, examined(facts), reports)


def test_every_statement_says_how_it_is_known(tmp_path: Path) -> None:
    """Tests that are named exist; nothing is claimed without a source."""
    pack = pack_of(tmp_path)
    known = [block.known for section in pack.sections for block in section.blocks]
    named = {one.removeprefix("tested by ") for one in known if one.startswith("tested by ")}

    assert "" not in known
    assert len(named) > 8
    assert [] == [one for one in named if not (ROOT / one).is_file()]


def test_measured_facts_are_told_from_open_ones(tmp_path: Path) -> None:
    """TLS that was measured is a statement; TLS that was not is said to be open."""
    measured = to_markdown(pack_of(tmp_path))
    tls = TlsFacts("https://zoom.tidemark.example", failure="self-signed certificate")
    failed = to_markdown(pack_of(tmp_path, tls=tls))
    unanswered = TlsFacts(tls.origin, version="TLSv1.3", unanswered_versions=("TLSv1",))
    silent = to_markdown(pack_of(tmp_path, tls=unanswered))
    left_out = (NotChecked("clock", "no response"),)
    unknown = to_markdown(pack_of(tmp_path, tls=None, not_checked=left_out))

    assert "speaks TLSv1.3 and refuses TLS 1.0 and 1.1. *(measured now)*" in measured
    assert "speaks TLSv1.3. *(measured now)*" in silent
    assert "no trusted TLS connection: self-signed certificate. *(measured now)*" in failed
    assert "the public URL was not measured. *(not shown)*" in unknown
    assert "Not checked: clock (no response). *(not shown)*" in unknown


def test_earlier_reports_are_dated(tmp_path: Path) -> None:
    """Failures of the check and answers of Zoom are in the pack, with their times."""
    text = to_markdown(pack_of(tmp_path))

    assert "measured at 2026-11-29T10:00:00Z by paraph check" in text
    assert "| app.toml | standard | 2 of 120 |" in text
    assert "| cb-x | high | fail |" in text
    assert "cb-y" not in text
    assert "| a code of one redirect URI, exchanged at another one | refused |" in text


@pytest.mark.parametrize("values", [VALUES, LOCAL, LARGE], ids=["proxied", "local", "large"])
def test_the_page_is_safe_and_holds_no_secret(tmp_path: Path, values: dict[str, object]) -> None:
    """Texts of reports are escaped, nothing is loaded from elsewhere, and no secret is there."""
    pack = pack_of(tmp_path, values)
    page = to_html(pack)

    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert [] == [one for one in SECRETS if one in page + to_markdown(pack)]


@pytest.mark.parametrize("values", [VALUES, LOCAL, LARGE], ids=["proxied", "local", "large"])
def test_the_picture_shows_this_configuration(tmp_path: Path, values: dict[str, object]) -> None:
    """The hosts and the kind of database of the settings; the SVG is well-formed XML."""
    pack = pack_of(tmp_path, values)
    pictures = [b for one in pack.sections for b in one.blocks if isinstance(b, Picture)]
    text = "".join(ET.fromstring(pictures[0].svg).itertext())

    assert str(values["public_url"]).partition("://")[2] in text
    assert ("PostgreSQL" if "database_url" in values else "SQLite file") in text
    assert ("TLS proxy" in text) == str(values["public_url"]).startswith("https")
    assert "The product" not in text


def test_forwarded_events_are_drawn(tmp_path: Path) -> None:
    """A URL for events adds the product, and its secret is not drawn."""
    more = {"forward_url": "https://tidemark.example/events", "forward_secrets": ["q" + SECRETS[0]]}
    settings = facts_of(tmp_path, {**VALUES, **more}).settings
    assert settings is not None

    assert "tidemark.example" in data_flow_svg(settings)
    assert SECRETS[0] not in data_flow_svg(settings)


def test_texts_from_outside_are_no_markdown() -> None:
    """Neither a name nor a reason becomes a link, a picture, HTML or a column; code stays code."""
    blocks = (Statement(f"`paraph` {HOSTILE}", HOSTILE), Table(("a",), [[HOSTILE]], "b"))
    text = to_markdown(Pack(HOSTILE, "now", (Section("s", blocks),)))
    outside_code = re.sub(r"(?<!\\)`[^`]*`", "", text)

    assert not re.search(r"(?<!\\)[<\[\]]", outside_code)
    assert "- `paraph` \\<img" in text
    assert 1 == len(re.findall(r"^\| [^|]*(?:\\\|[^|]*)* \|$", text.split("---")[1], re.MULTILINE))


def test_dependencies_are_a_cyclonedx_document() -> None:
    """Each installed package has a version and a package URL; paraph itself is the subject."""
    document = json.loads(cyclonedx(installed_packages(), made_at="2026-11-29T12:00:00Z"))
    names = [one["name"] for one in document["components"]]

    assert ("CycloneDX", "1.5") == (document["bomFormat"], document["specVersion"])
    assert "paraph" == document["metadata"]["component"]["name"]
    assert {"starlette", "sqlalchemy", "cryptography", "httpx", "click"} <= set(names)
    assert "paraph" not in names
    assert sorted(names) == names
    # Other packages name them for their own development only.
    assert not {"mypy", "pytest", "ruff", "hypothesis"} & set(names)
    assert all(one["purl"].startswith("pkg:pypi/") for one in document["components"])


def test_the_command_writes_the_pack_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an empty folder: settings, then evidence, without a browser no PDF."""
    monkeypatch.setattr("paraph.review.printing.find_browser", lambda: "")
    variables = dict(
        zip(("ZOOM_CLIENT_SECRET", "ZOOM_SECRET_TOKEN"), SECRETS[:2], strict=True),
        ZOOM_CLIENT_ID="AbCdEf123456xyz",
    )
    words = ("--public-url", "https://zoom.tidemark.example", "--app-name", "Tidemark")
    run_command(tmp_path, "init", *words, variables=variables)
    (tmp_path / "check.json").write_text(json.dumps(CHECK), encoding="utf-8")
    words = ("evidence", "--offline", "--check", "check.json")
    done = run_command(tmp_path, *words)
    (tmp_path / "evidence" / "evidence.pdf").write_text("older", encoding="utf-8")
    again = run_command(tmp_path, *words)
    kept = (tmp_path / "evidence" / "evidence.pdf").exists()
    forced = run_command(tmp_path, *words, "--force")
    files = {one.name: one.read_text(encoding="utf-8") for one in (tmp_path / "evidence").iterdir()}

    assert (0, 2, 0) == (done.code, again.code, forced.code), done.err
    assert ("--force" in again.err, kept) == (True, True)
    assert {"evidence.md", "evidence.html", "data-flow.svg", "sbom.cdx.json"} == set(files)
    assert "No PDF" in done.err
    key = re.findall(r'encryption_keys = \["\w+:([^"]+)"\]', (tmp_path / "paraph.toml").read_text())
    assert 1 == len(key)
    assert [] == [one for one in [*SECRETS[:2], *key] if one in "".join(files.values())]


def test_a_report_that_repeats_a_secret_is_not_copied(tmp_path: Path) -> None:
    """Nothing is written, and the refusal does not repeat it either."""
    variables = dict(
        zip(("ZOOM_CLIENT_SECRET", "ZOOM_SECRET_TOKEN"), SECRETS[:2], strict=True),
        ZOOM_CLIENT_ID="AbCdEf123456xyz",
    )
    run_command(
        tmp_path, "init", "--public-url", "https://zoom.tidemark.example", variables=variables
    )
    secret = "kF93&2b|Xq0<Zr8_sLpW"
    file = tmp_path / "paraph.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(SECRETS[0], secret), encoding="utf-8")
    case = {"id": "x", "severity": "low", "verdict": "fail", "reason": f"saw {secret}"}
    leaking = {**CHECK, "cases": [case]}
    (tmp_path / "check.json").write_text(json.dumps(leaking), encoding="utf-8")
    done = run_command(tmp_path, "evidence", "--offline", "--check", "check.json")

    assert 2 == done.code
    assert "would hold a secret" in done.err
    assert secret not in done.err + done.out
    assert not (tmp_path / "evidence").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"findings": [], "summary": {}}',
        json.dumps({**CHECK, "cases": ["x"]}).encode(),
        json.dumps({**CHECK, "answers": ["x"]}).encode(),
        b'{"x":' + b"[" * 100_000,
        b"\xff",
    ],
    ids=["empty", "list", "object", "doctor", "cases", "answers", "deep", "latin"],
)
def test_other_files_are_no_reports(tmp_path: Path, content: bytes) -> None:
    """A document that paraph did not write is named; it is neither shown nor a stack trace."""
    (tmp_path / "x.json").write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"x\.json is not"):
        load_live_report(tmp_path / "x.json")
    if b"answers" not in content:
        with pytest.raises(ConfigurationError, match=r"x\.json is not"):
            load_check_report(tmp_path / "x.json")


@pytest.mark.parametrize(("code", "writes"), [(7, True), (0, False)])
def test_an_older_print_is_no_success(tmp_path: Path, code: int, *, writes: bool) -> None:
    """A browser that fails leaves no PDF, even where one stood before."""
    browser, pdf = tmp_path / "browser", tmp_path / "x.pdf"
    browser.write_text(f"#!/bin/sh\n{f'echo x > {pdf}' if writes else ':'}\nexit {code}\n")
    browser.chmod(0o700)
    pdf.write_text("older", encoding="utf-8")

    assert f"the browser ended with {code}" == print_page(str(browser), tmp_path / "x.html", pdf)
    assert not pdf.exists()


@pytest.mark.slow
@pytest.mark.browser
def test_chromium_prints_the_pack(tmp_path: Path) -> None:
    """Where a browser is installed the pack is also a PDF."""
    browser = find_browser()
    if not browser:
        pytest.skip("chromium is not installed")
    page, pdf = tmp_path / "evidence.html", tmp_path / "evidence.pdf"
    page.write_text(to_html(pack_of(tmp_path)), encoding="utf-8")

    assert "" == print_page(browser, page, pdf)
    assert pdf.read_bytes().startswith(b"%PDF")


def test_the_pack_states_what_is_true_of_a_set_up_on_loopback(tmp_path: Path) -> None:
    """Plain http is not called TLS, one host is named once, and no time is rounded."""
    zoom = {"authorization_server": "http://localhost:1", "api_servers": ["http://localhost:1"]}
    values = {**LOCAL, **zoom, "event_retention": 90_000, "freshness_past": 330}
    pack = pack_of(tmp_path, values)
    text = to_markdown(pack)
    settings = facts_of(tmp_path, values).settings
    assert settings is not None
    drawn = data_flow_svg(settings)
    assert "plain http on loopback" in drawn and "terminates TLS" not in drawn
    assert 1 == drawn.count(">localhost:1<")
    assert "25 hours after delivery; without limit while they wait" in text
    assert "as long as the body; at least 25 hours after arrival" in text
    assert "accepted for 330 seconds" in text
    assert "| paraph.toml | settings | 0600 |" in text
    assert str(tmp_path) not in text
    assert "wrapped" not in text
