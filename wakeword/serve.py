"""``wakeword serve wyoming``: other programs send the audio."""

from __future__ import annotations

import asyncio
import signal
from importlib.util import find_spec

import click

from wakeword.bundle import DEFAULT_NAME, Bundle
from wakeword.errors import WakewordError


@click.group()
def serve() -> None:
    """Detect for other programs, over the network."""


@serve.command()
@click.option(
    "--uri",
    default="tcp://127.0.0.1:10400",
    show_default=True,
    metavar="URI",
    help="tcp://HOST:PORT or unix:///PATH; tcp://0.0.0.0:10400 lets the whole network in.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    default=[DEFAULT_NAME],
    show_default=True,
    metavar="BUNDLE",
    help="A bundle's .json or a shipped bundle's name; may be repeated.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    metavar="X",
    help="Fire at this smoothed score in place of the bundle's own.",
)
@click.option("--no-gate", is_flag=True, help="Let the network hear everything, voice or not.")
def wyoming(uri: str, models: tuple[str, ...], threshold: float | None, no_gate: bool) -> int:
    """Be a Wyoming wake-word service, as Home Assistant and wyoming-satellite use it.

    Whoever can connect can use it: there is no password in this protocol.
    """
    if find_spec("wyoming") is None:
        raise WakewordError(
            "`wakeword serve wyoming` needs the package wyoming; "
            "install it with: pip install 'wakeword[wyoming]'"
        )
    from wakeword.wyoming import WyomingService

    bundles = [Bundle.load(m) for m in models]

    def say(message: str) -> None:
        click.echo(f"wakeword: {message}", err=True)

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        service = WyomingService(bundles, say, gate=not no_gate, threshold=threshold)
        server = await service.start(uri)
        phrases = ", ".join(repr(b.phrase) for b in bundles)
        say(f"serving {phrases} at {uri}; Ctrl-C ends")
        await stop.wait()
        server.close()
        service.hang_up()

    asyncio.run(run())
    return 0
