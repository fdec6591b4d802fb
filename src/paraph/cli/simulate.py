"""`paraph simulate`: a Zoom on localhost."""

from __future__ import annotations

import secrets
import ssl
from pathlib import Path
from typing import Annotated

import typer

from paraph.errors import ConfigurationError
from paraph.simulator.app import Binding, Server, create_simulator, is_loopback
from paraph.simulator.engine import Consent
from paraph.simulator.world import default_world, load_world


def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8100,
    world: Annotated[Path | None, typer.Option(help="World file (TOML).")] = None,
    auto_consent: Annotated[
        str, typer.Option(metavar="USER_ID", help="Answer /oauth/authorize at once as this user.")
    ] = "",
    tls_certificate: Annotated[Path | None, typer.Option(help="Serve https (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's key (PEM).")] = None,
) -> None:
    """Run a simulated Zoom, with its console at /. State lives in memory."""
    _check_tls(tls_certificate, tls_key)
    simulator = create_simulator(default_world() if world is None else load_world(world))
    if auto_consent:
        if simulator.world.user(auto_consent) is None:
            raise ConfigurationError([f"--auto-consent: there is no user {auto_consent}"])
        simulator.decide(Consent("approve", auto_consent))
    token = "" if is_loopback(host) else secrets.token_urlsafe(32)

    def announce(url: str) -> None:
        typer.echo(f"listening {url}")
        for app in simulator.world.apps:
            typer.echo(f"  client_id      {app.client_id}")
            typer.echo(f"  client_secret  {app.client_secret}")
            typer.echo(f"  webhook_secret {app.webhook_secret or '(none)'}")
            typer.echo(f"  listing        {url}/marketplace/{app.client_id}")
        typer.echo(f"  console        {url}/")
        if token:
            typer.echo(f"  control token  {token}")

    server = Server(
        simulator,
        Binding(host, port, tls_certificate, tls_key),
        control_token=token,
        listening=announce,
    )
    try:
        server.run()
    except SystemExit:
        # uvicorn leaves the process when it cannot bind.
        raise ConfigurationError(
            [f"cannot listen on {host}:{port}: the port is taken or not allowed"],
            remedy="Stop what holds the port, or choose another with --port.",
        ) from None


def _check_tls(certificate: Path | None, key: Path | None) -> None:
    """Both or neither, and fit for use: the server would answer the rest with a stack trace."""
    if (certificate is None) != (key is None):
        raise ConfigurationError(["--tls-certificate and --tls-key go together"])
    if certificate is None:
        return
    try:
        # No passphrase: nobody is asked for one in the middle of a start.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            [f"{certificate} and {key} cannot be used: {why}"],
            remedy="Give a certificate chain and its unencrypted key, both as PEM.",
        ) from None
