"""`paraph demo`: a simulated Zoom, the service and a host product, to try in a browser."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from paraph.cli.invocation import own_command
from paraph.errors import ConfigurationError

if TYPE_CHECKING:
    from paraph.demo.composition import Running
    from paraph.demo.ports import Ports

_PARTS = ("zoom", "service", "private", "host")


class PortList(click.ParamType[tuple[int, ...]]):
    """The type of an option with four different ports, separated by commas."""

    name = "ports"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the four ports in the order of the parts; any other value is a usage error."""
        words = [word.strip() for word in str(value).split(",")]
        ports = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 6]
        if len(ports) != len(words) or len(ports) != 4 or not all(0 < one < 65536 for one in ports):
            self.fail(f"{value} is not four port numbers, like 8110,8010,8011,8210", param, ctx)
        if len(set(ports)) != 4:
            self.fail(f"{value} names one port twice", param, ctx)
        return tuple(ports)


@click.command()
@click.option(
    "--linking",
    type=click.Choice(("host", "none")),
    default="host",
    help="host: installations belong to accounts of the host product; none: to Zoom users.",
)
@click.option(
    "--ports",
    type=PortList(),
    default="8100,8000,8001,8200",
    metavar="ZOOM,SERVICE,PRIVATE,HOST",
    help="The ports of the simulator, the service, its private side and the host product.",
)
@click.option("--zoom-port", type=int, hidden=True)
@click.option("--service-port", type=int, hidden=True)
@click.option("--private-port", type=int, hidden=True)
@click.option("--host-port", type=int, hidden=True)
@click.option("--host-address", default="127.0.0.1", hidden=True)
def demo(*, linking: str, ports: tuple[int, ...], host_address: str, **single: int | None) -> None:
    """Run the simulator, the service and a small host product until Ctrl-C."""
    import asyncio

    from paraph.demo.ports import Ports

    chosen = {
        name: port if (one := single[f"{name}_port"]) is None else one
        for name, port in zip(_PARTS, ports, strict=True)
    }
    asyncio.run(_run(linking, Ports(**chosen, host_address=host_address)))


async def _run(linking: str, ports: Ports) -> None:
    import asyncio
    import signal

    from paraph.demo.composition import compose

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    click.echo("Starting…")
    async with compose(linking, ports) as running:
        _announce(running)
        ends = {
            asyncio.create_task(process.wait()): name for name, process in running.processes.items()
        }
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({*ends, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stopping not in done:
            name = next(ends[task] for task in done if task in ends)
            raise ConfigurationError(
                [f"the {name} ended unexpectedly"], remedy="Run the demo again."
            )
    click.echo("Stopped; the temporary folder was deleted.")


def _announce(running: Running) -> None:
    settings = shlex.quote(f"{running.folder}/paraph.toml")
    click.echo(
        f"""
  Tidemark, the host product   {running.host_url}/
  Zoom, simulated              {running.zoom_url}/
  the service                  {running.service_url}/  (management API {running.private_url}/v1/)
  its operator pages           {running.private_url}/admin/

  Open Tidemark, sign in, install from the Marketplace. Then run the attacks.
  To create a key for the operator pages, in another terminal in this folder:
  {own_command()} api-keys create --label me --scope read --config {settings}
  Ctrl-C ends everything and removes {running.folder}
"""
    )
