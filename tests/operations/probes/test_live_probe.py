"""The three undocumented questions, asked of a simulated Zoom that answers either way."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from operations.findings.set_ups import LOCAL, facts_of
from paraph.oauth.messages import Request, Response
from paraph.operations.findings.app_rules import live_findings
from paraph.operations.probes import live_probe
from paraph.operations.probes.facts import LiveAnswer
from paraph.operations.probes.live_probe import Paste, live_answers
from paraph.secret import Secret
from paraph.settings.model import Settings
from paraph.simulator.running import SimulatedZoom

pytestmark = pytest.mark.anyio


@pytest.fixture
def zoom(simulated_zoom: SimulatedZoom) -> SimulatedZoom:
    """A simulated Zoom that consents by itself."""
    simulated_zoom.consent("approve")
    return simulated_zoom


def settings_for(zoom: SimulatedZoom, folder: Path) -> Settings:
    """Settings with the credentials of the simulated app."""
    settings = facts_of(folder, LOCAL).settings
    assert settings is not None
    return replace(
        settings,
        client_id=zoom.app.client_id,
        client_secret=Secret(zoom.app.client_secret),
        authorization_server=zoom.url,
        api_servers=(zoom.url,),
    )


async def asked(zoom: SimulatedZoom, folder: Path, paste: Paste | None = None) -> list[LiveAnswer]:
    """The answers."""
    settings = settings_for(zoom, folder)
    token = lambda: secrets.token_urlsafe(32)  # noqa: E731 - As the command hands it out.
    return list(await live_answers(settings, token=token, paste=paste))


@pytest.mark.parametrize(
    ("question", "fault", "refused"),
    [
        ("second-redirect", "", False),
        ("second-redirect", "second_redirect_refused", True),
        ("other-redirect", "", True),
        ("other-redirect", "redirect_uri_not_compared", False),
        ("needless-verifier", "", False),
        ("needless-verifier", "pkce_downgrade_refused", True),
    ],
)
async def test_both_answers_are_told_apart(
    zoom: SimulatedZoom, tmp_path: Path, question: str, fault: str, *, refused: bool
) -> None:
    """Each question, with Zoom as documented elsewhere and with the opposite behaviour."""
    with ExitStack() as faults:
        if fault:
            faults.enter_context(zoom.fault(fault))
        answers = {one.question: one for one in await asked(zoom, tmp_path)}

    assert {"second-redirect", "other-redirect", "needless-verifier"} == set(answers)
    assert refused is answers[question].refused
    weak = question if fault in {"second_redirect_refused", "redirect_uri_not_compared"} else ""
    found = [one.rule for answer in answers.values() for one in live_findings(answer)]
    assert (f"live-{weak}" in found) == bool(weak)
    assert ("live-needless-verifier" in found) == (answers["needless-verifier"].refused is False)


async def test_wrong_credentials_prove_nothing(zoom: SimulatedZoom, tmp_path: Path) -> None:
    """A refusal that has another cause is no answer."""
    settings = replace(settings_for(zoom, tmp_path), client_secret=Secret("kF93-2bXq0-Zr8sLpW"))
    answers = await live_answers(settings, token=lambda: secrets.token_urlsafe(32), paste=None)

    assert {"other-redirect": None, "needless-verifier": None} == {
        one.question: one.refused for one in answers if one.question != "second-redirect"
    }


async def test_a_person_may_paste_the_address(zoom: SimulatedZoom, tmp_path: Path) -> None:
    """Where Zoom asks for consent, the address at which the browser ended is enough."""
    zoom.consent("ask")
    shown: list[str] = []

    def person(url: str) -> str:
        shown.append(url)
        zoom.consent("approve")
        ended = httpx.get(url, follow_redirects=False).headers["location"]
        zoom.consent("ask")
        return f" {ended} "

    answers = await asked(zoom, tmp_path, person)

    assert 3 == len(shown)
    assert [False, True, False] == [one.refused for one in answers]


async def test_without_a_person_nothing_is_known(zoom: SimulatedZoom, tmp_path: Path) -> None:
    """A consent page and no terminal: every question stays open."""
    zoom.consent("ask")

    assert [None, None, None] == [one.refused for one in await asked(zoom, tmp_path)]


async def test_no_token_outlives_the_questions(zoom: SimulatedZoom, tmp_path: Path) -> None:
    """Every token that was issued is revoked."""
    await asked(zoom, tmp_path)

    assert [] == zoom.grants()


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_a_failure_of_zoom_is_no_refusal(
    zoom: SimulatedZoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """A limit, a wall or an outage says nothing about the redirect URI."""

    async def failing(_request: Request, **_options: object) -> Response:
        return Response(status, (), b"")

    monkeypatch.setattr(live_probe, "send_plain", failing)
    answers = await asked(zoom, tmp_path)

    assert [None, None, None] == [one.refused for one in answers]
    assert [] == [one for answer in answers for one in live_findings(answer)]
