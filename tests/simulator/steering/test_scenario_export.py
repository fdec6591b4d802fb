"""What was done on the console, as a scenario file that can be replayed."""

from __future__ import annotations

from pathlib import Path

import httpx

from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.replay import replay
from paraph.simulator.scenarios.scenario_file import load_scenario, parse_scenario
from paraph.simulator.scenarios.steps import name_of
from paraph.simulator.scenarios.writing import write_scenario
from simulator.receiver import Receiver


def press(zoom: SimulatedZoom, action: str, **fields: str) -> None:
    """Press a button of the console."""
    given = {"client_id": zoom.app.client_id, "user_id": zoom.user.id} | fields
    headers = {"origin": zoom.url, "accept": "application/json"}
    response = httpx.post(
        f"{zoom.url}/_console/{action}", data=given, headers=headers, trust_env=False
    )
    assert 200 == response.status_code, response.text
    zoom.settle()


def exported(zoom: SimulatedZoom) -> str:
    """The file behind the console's link."""
    response = httpx.get(f"{zoom.url}/_console/scenario.toml", trust_env=False)
    assert 'filename="scenario.toml"' in response.headers["content-disposition"]
    return response.text


def test_buttons_become_steps_that_can_be_replayed(
    simulated: SimulatedZoom, receiver: Receiver, tmp_path: Path
) -> None:
    """Each button is a step, expects the response that it got, and passes when replayed."""
    press(simulated, "fault", name="webhook_time_in_seconds", on="1", times="2")
    press(simulated, "event", event="meeting.started", variant="mixed_escapes")
    press(simulated, "repeat", delivery=simulated.deliveries()[-1]["id"])
    press(simulated, "fault", name="webhook_time_in_seconds", on="0")
    press(simulated, "clock", preset="300")
    press(simulated, "consent", auto="approve")
    press(simulated, "validate")
    receiver.status = 404
    press(simulated, "deauthorize", variant="duplicate")
    path = tmp_path / "scenario.toml"
    path.write_text(exported(simulated))
    receiver.status = 200
    simulated.simulator.reset()
    simulated.app.event_url = simulated.app.deauthorization_url = receiver.url
    scenario = load_scenario(path, simulated.world).scenario
    names = "fault_on send repeat fault_off clock consent validate deauthorize check"
    assert names == " ".join(name_of(one) for one in scenario.steps)
    assert [200, 200, 404] == [scenario.steps[at].expect.status for at in (1, 2, 7)]
    played = list(replay(simulated, scenario))
    assert ["expected status 404, the app's response was 200"] == list(played[-1].failures)
    assert 8 == len(played)


def test_a_response_that_is_awaited_is_not_expected(
    simulated: SimulatedZoom, receiver: Receiver
) -> None:
    """An export while the same bytes are on their way again has the step, without a status."""
    press(simulated, "event", event="meeting.started")
    press(simulated, "repeat", delivery=simulated.deliveries()[-1]["id"])
    pressed = simulated.simulator.performed[-1]
    pressed.attempts = len(simulated.deliveries()[-1]["attempts"])
    sent, again, _ = parse_scenario(exported(simulated).encode(), "scenario.toml").steps
    assert (200, None) == (sent.expect.status, again.expect.status)
    assert 2 == len(receiver.bodies)


def test_consents_of_people_become_steps(simulated: SimulatedZoom) -> None:
    """A decision on Zoom's page is a start and a consent by that user."""
    query = f"client_id={simulated.app.client_id}&redirect_uri={simulated.app.redirect_uris[0]}"
    simulated.app.redirect_uris = [f"{simulated.url}/v2/nothing"]
    query = f"client_id={simulated.app.client_id}&redirect_uri={simulated.app.redirect_uris[0]}"
    browser = simulated.browser()
    browser.get(f"{simulated.url}/oauth/authorize?{query}")
    browser.approve("ravi@example.com")
    browser.get(f"{simulated.url}/oauth/authorize?{query}")
    browser.deny()
    text = exported(simulated)
    scenario = parse_scenario(text.encode(), "scenario.toml")
    assert ["start", "approve", "start", "deny", "check"] == [
        name_of(one) for one in scenario.steps
    ]
    assert 'user = "ravi@example.com"' in text
    assert f"{simulated.url}/install" == scenario.start_url
    assert "code" not in text.replace("exchanges a code", "")


def test_what_is_written_is_what_was_read() -> None:
    """Every form of value survives: texts with quotes and line ends, tables, lists, numbers."""
    text = """
title = 'a "quoted" \\\\ text'
about = "two\\nlines \\u007f"
[[steps]]
do = "send"
event = "a.b"
payload = { "a key" = [1, 2.5, true, { x = "y" }], empty = {} }
wait = false
[[steps]]
do = "clock"
advance = 0
[[steps]]
do = "fault_on"
name = "token_slow"
settings = { seconds = inf }
[[steps]]
do = "request"
url = "${zoom}/"
headers = { x-y = "z" }
expect = { status = [200, 204], requests = [{ path = "/x", count = 0 }], grants = [] }
"""
    scenario = parse_scenario(text.encode(), "one.toml")
    assert scenario == parse_scenario(write_scenario(scenario).encode(), "two.toml")
