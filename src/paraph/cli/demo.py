"""`paraph demo`: a Zoom, the service and a host product, to be tried in a browser."""

from __future__ import annotations

import asyncio
import signal
from enum import StrEnum
from typing import Annotated

import typer

from paraph.demo.composition import Ports, Running, compose
from paraph.errors import ConfigurationError


class Linking(StrEnum):
    """Whether installations are linked to accounts of the host product."""

    HOST = "host"
    NONE = "none"


def demo(
    linking: Annotated[Linking, typer.Option(help="Link to the host's accounts, or not.")] = (
        Linking.HOST
    ),
    zoom_port: Annotated[int, typer.Option(hidden=True)] = 8100,
    service_port: Annotated[int, typer.Option(hidden=True)] = 8000,
    private_port: Annotated[int, typer.Option(hidden=True)] = 8001,
    host_port: Annotated[int, typer.Option(hidden=True)] = 8200,
    host_address: Annotated[str, typer.Option(hidden=True)] = "127.0.0.1",
) -> None:
    """Run simulator, service and a small host product here, until Ctrl-C."""
    ports = Ports(zoom_port, service_port, private_port, host_port, host_address)
    asyncio.run(_run(linking.value, ports))


async def _run(linking: str, ports: Ports) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    typer.echo("starting…")
    async with compose(linking, ports) as running:
        _say(running)
        ends = {
            asyncio.create_task(process.wait()): name for name, process in running.processes.items()
        }
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({*ends, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stopping not in done:
            name = next(ends[task] for task in done if task in ends)
            raise ConfigurationError([f"the {name} ended unexpectedly"], remedy="Run it again.")
    typer.echo("stopped; the temporary folder is gone")


def _say(running: Running) -> None:
    typer.echo(
        f"""
  Tidemark, the host product   {running.host_url}/
  Zoom, simulated              {running.zoom_url}/
  the service                  {running.service_url}/  (management API {running.private_url}/v1/)
  its operator pages           {running.private_url}/admin/

  Open Tidemark, pick a person, install from the Marketplace. Then attack it.
  A key for the operator pages, in another terminal:
  paraph api-keys create --label me --scope read --config {running.folder}/paraph.toml
  Ctrl-C ends everything and removes {running.folder}
"""
    )
