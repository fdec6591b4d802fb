"""`paraph simulate`: runs a simulated Zoom on localhost."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paraph.errors import ConfigurationError
from paraph.visible_text import visible

if TYPE_CHECKING:
    from paraph.simulator.replay import Played
    from paraph.simulator.steering.console_entries import SentRedirect, SentWebhook

_FILE = click.Path(path_type=Path)


@click.command()
@click.option("--host", default="127.0.0.1", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8100, help="0 picks a free port.")
@click.option("--world", type=_FILE, help="A world file (TOML).")
@click.option(
    "--auto-consent",
    metavar="USER_ID",
    default="",
    show_default=False,
    help="Decide /oauth/authorize at once as this user.",
)
@click.option("--scenario", type=_FILE, help="Replay this scenario file (TOML), then exit.")
@click.option("--tls-certificate", type=_FILE, help="Serve https with this certificate (PEM).")
@click.option("--tls-key", type=_FILE, help="The key of the certificate (PEM).")
def simulate(
    *,
    host: str,
    port: int,
    world: Path | None,
    auto_consent: str,
    scenario: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
) -> None:
    """Run a simulated Zoom.

    Its console is at /. Its state is in memory. With --scenario the exit code is 0 if every step
    passed, 1 if a step failed, and 2 if the scenario could not run.
    """
    _check_tls(tls_certificate, tls_key)
    if scenario is not None:
        _check_replay(host, other=bool(auto_consent or tls_certificate))
        _replay(scenario, world, host, port)
        return
    from paraph.simulator.app import Binding, Server, create_simulator
    from paraph.simulator.engine import Consent
    from paraph.simulator.request import is_loopback
    from paraph.simulator.running import cannot_listen
    from paraph.simulator.state.world import default_world, load_world

    simulator = create_simulator(default_world() if world is None else load_world(world))
    if auto_consent:
        if simulator.world.user(auto_consent) is None:
            raise ConfigurationError([f"--auto-consent: the world has no user {auto_consent}"])
        simulator.set_consent(Consent("approve", auto_consent))
    token = "" if is_loopback(host) else secrets.token_urlsafe(32)

    def announce(url: str) -> None:
        click.echo(f"listening {url}")
        for app in simulator.world.apps:
            click.echo(f"  client_id      {app.client_id}")
            click.echo(f"  client_secret  {app.client_secret}")
            click.echo(f"  webhook_secret {app.webhook_secret or '(none)'}")
            click.echo(f"  listing        {url}/marketplace/{app.client_id}")
        click.echo(f"  console        {url}/")
        if token:
            click.echo(f"  control token  {token}")

    server = Server(
        simulator,
        Binding(host, port, tls_certificate, tls_key),
        control_token=token,
        explain=explain_entry,
        listening=announce,
    )
    try:
        server.run()
    except SystemExit:
        # uvicorn exits the process if it cannot bind.
        raise cannot_listen(host, port) from None


def explain_entry(sent: SentWebhook | SentRedirect) -> list[str]:
    """Explain an entry of the simulator's console, as `paraph explain` does.

    Args:
        sent: a webhook with the settings of its app, or a redirect with its request.
    """
    from paraph.simulator.steering.console_entries import SentRedirect

    return _explain_redirect(sent) if isinstance(sent, SentRedirect) else _explain_webhook(sent)


def _explain_redirect(sent: SentRedirect) -> list[str]:
    from paraph.explain.sent_redirect import explain_sent_redirect

    found = explain_sent_redirect(
        sent.url,
        asked=sent.asked,
        asked_at=sent.asked_at,
        sent_at=sent.sent_at,
        authorization_server=sent.server,
    )
    return list(found.lines())


def _explain_webhook(sent: SentWebhook) -> list[str]:
    from paraph.explain.capture import request
    from paraph.explain.delivery import DeliverySettings, explain_delivery

    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.headers
    ]
    captured = request("POST", sent.path.encode(), headers, sent.body)
    settings = DeliverySettings(
        secrets=[sent.webhook_secret] if sent.webhook_secret else [],
        client_id=sent.client_id,
        level=sent.level,
    )
    return list(explain_delivery(settings, captured, now=sent.sent_at).lines())


def _check_replay(host: str, *, other: bool) -> None:
    """Require loopback and none of the other options.

    Raises:
        ConfigurationError: an option does not go with --scenario.
    """
    from paraph.simulator.request import is_loopback

    if other or not is_loopback(host):
        raise ConfigurationError(
            ["--scenario runs on loopback, over http, and decides consent itself"],
            remedy="Leave out --auto-consent, --tls-certificate, --tls-key and --host.",
        )


def _replay(path: Path, world_path: Path | None, host: str, port: int) -> None:
    """Replay a scenario and print a line for each step; exit 1 if a step failed.

    Raises:
        ConfigurationError: the scenario or its world is wrong, or the port is taken.
    """
    from paraph.simulator.app import Binding
    from paraph.simulator.replay import replay
    from paraph.simulator.running import SimulatedZoom
    from paraph.simulator.scenarios.scenario_file import load_scenario
    from paraph.simulator.state.world import load_world

    given = None if world_path is None else load_world(world_path)
    loaded = load_scenario(path, given)
    scenario = loaded.scenario
    with SimulatedZoom(loaded.world, binding=Binding(host, port)) as zoom:
        click.echo(f"listening {zoom.url}")
        click.echo(f"scenario: {scenario.title}")
        failed = 0
        for played in replay(zoom, scenario):
            _print(played, f"{path}:{loaded.lines.of_step(played.number - 1)}")
            failed = played.number if played.failures else 0
    if failed:
        click.echo(f"failed at step {failed}; {len(scenario.steps) - failed} steps were not done")
        click.get_current_context().exit(1)
    click.echo(f"passed: {len(scenario.steps)} steps")


def _print(played: Played, place: str) -> None:
    word, seconds = "FAILED" if played.failures else "ok", f"{played.seconds:.2f} s"
    result = visible(played.result)
    click.echo(f"{word:<6} {played.number:>3} {played.name:<12}{seconds:>8}  {result}".rstrip())
    for failure in played.failures:
        click.echo(f"       {place}: {visible(failure)}")


def _check_tls(certificate: Path | None, key: Path | None) -> None:
    """Require both files or neither, and a usable pair.

    Raises:
        ConfigurationError: one of them is missing, or they cannot be used.
    """
    if (certificate is None) != (key is None):
        raise ConfigurationError(["--tls-certificate and --tls-key are needed together: give both"])
    if certificate is None:
        return
    import ssl

    try:
        # An empty passphrase: the start must not block on a prompt.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            [f"{certificate} and {key} cannot be used: {reason}"],
            remedy="Give a certificate chain and its unencrypted key, both as PEM.",
        ) from None
