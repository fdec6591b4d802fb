"""The files of `deploy/` and the workflows: the programs that read them accept them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import reference_pages
import yaml

from programs import need_program

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "paraph.rules.yml"
BIN = Path(sys.executable).parent


def run(*command: str | Path) -> str:
    """Run a program that must succeed; return its output."""
    ran = subprocess.run(
        [str(one) for one in command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    output = ran.stdout + ran.stderr
    assert 0 == ran.returncode, output
    return output


def test_alerts_read_metrics_that_exist() -> None:
    """Each metric of an alert is one that the service exports; each alert says what to do."""
    exported = set(re.findall(r"`(paraph_\w+)`", reference_pages.metrics()))
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            used = set(re.findall(r"\bparaph_\w+", rule["expr"]))
            assert used <= exported, rule["alert"]
            assert rule["annotations"].keys() == {"summary", "description"}, rule["alert"]


def test_everything_waits_for_the_drain() -> None:
    """A supervisor waits for `drain_seconds` and the 30 seconds of the end."""
    unit = (DEPLOY / "systemd" / "paraph.service").read_text(encoding="utf-8")
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))

    assert "TimeoutStopSec=40" in unit.splitlines()
    assert "40s" == compose["services"]["paraph"]["stop_grace_period"]


def test_the_image_chooses_no_database() -> None:
    """A variable wins over the settings file, so the image sets only the address to listen on."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    assert ["PARAPH_PUBLIC_BIND"] == re.findall(r"\b(PARAPH_\w+)=", text)


def test_nginx_sends_no_decoded_path() -> None:
    """Only the log, which escapes it, has `$uri`: decoded, it can end a header."""
    text = (DEPLOY / "nginx" / "paraph.conf").read_text(encoding="utf-8")
    uses = [one for one in text.splitlines() if re.search(r"\$(document_)?uri\b", one)]
    assert ["#", "log_format"] == sorted({one.split()[0] for one in uses})


@pytest.mark.slow
def test_promtool_accepts_the_alerts() -> None:
    """Every alert fires for what it is about, and stays silent otherwise."""
    promtool = need_program("promtool")
    run(promtool, "check", "rules", RULES)
    run(promtool, "test", "rules", Path(__file__).with_name("alerts.yml"))


@pytest.mark.slow
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """The unit has no error, and its exposure stays at the figure of the documentation."""
    analyze = need_program("systemd-analyze")
    unit = tmp_path / "paraph.service"
    text = (DEPLOY / "systemd" / "paraph.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/paraph/bin/paraph", sys.executable), encoding="utf-8")
    run(analyze, "verify", unit)
    run(analyze, "security", "--offline=yes", "--threshold=13", unit)


@pytest.mark.slow
def test_linters_accept_the_files() -> None:
    """The schemas of workflows, actions and compose files; zizmor for workflows; hadolint."""
    schema = (BIN / "check-jsonschema", "--builtin-schema")
    action = DEPLOY / "github-action"
    release = ROOT / ".github" / "workflows" / "release.yml"
    run(*schema, "vendor.github-workflows", release, action / "workflow.yml")
    run(*schema, "vendor.github-actions", action / "action.yml")
    run(*schema, "vendor.compose-spec", DEPLOY / "compose.yaml")
    run(BIN / "zizmor", "--offline", "--quiet", release, action / "action.yml")
    run(BIN / "hadolint", DEPLOY / "Containerfile")
