"""`paraph simulate`: runs a simulated Zoom on localhost."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from paraph.errors import ConfigurationError

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
@click.option("--tls-certificate", type=_FILE, help="Serve https with this certificate (PEM).")
@click.option("--tls-key", type=_FILE, help="The key of the certificate (PEM).")
def simulate(
    *,
    host: str,
    port: int,
    world: Path | None,
    auto_consent: str,
    tls_certificate: Path | None,
    tls_key: Path | None,
) -> None:
    """Run a simulated Zoom.

    Its console is at /. Its state is in memory.
    """
    from paraph.simulator.app import Binding, Server, create_simulator
    from paraph.simulator.engine import Consent
    from paraph.simulator.request import is_loopback
    from paraph.simulator.state.world import default_world, load_world

    _check_tls(tls_certificate, tls_key)
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
        listening=announce,
    )
    try:
        server.run()
    except SystemExit:
        # uvicorn exits the process if it cannot bind.
        raise ConfigurationError(
            [f"cannot listen on {host}:{port}: the port is taken or not allowed"],
            remedy="Stop the program that uses the port, or choose another with --port.",
        ) from None


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
