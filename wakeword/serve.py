"""``wakeword serve wyoming``: other programs send the audio."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from wakeword import options
from wakeword.config import Config
from wakeword.errors import WakewordError
from wakeword.trial import LOOK_S, Releases

if TYPE_CHECKING:
    from wakeword.wyoming import WyomingService


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
@options.config(
    "The device's TOML file: its [detector] and [update]; the other options go before it. Updates "
    "are taken over while clients listen."
)
@options.models
@options.threshold
@options.sensitivity
@options.no_gate
def wyoming(
    uri: str,
    config_path: str | None,
    models: tuple[str, ...],
    threshold: float | None,
    sensitivity: str | None,
    no_gate: bool,
) -> int:
    """Be a Wyoming wake-word service, as Home Assistant and wyoming-satellite use it.

    Whoever can connect can use it: there is no password in this protocol.
    """
    if find_spec("wyoming") is None:
        raise WakewordError(
            "`wakeword serve wyoming` needs the package wyoming; "
            "install it with: pip install 'wakeword[wyoming]'"
        )
    from wakeword.wyoming import WyomingService

    def say(message: str) -> None:
        click.echo(f"wakeword: {message}", err=True)

    config = Config.load(config_path) if config_path else Config()
    spec = config.detector.but(models, threshold, sensitivity, no_gate)
    releases = Releases(config.update, spec.models)
    bundles = releases.load()
    thresholds = spec.thresholds(bundles, say)
    service = WyomingService(bundles, say, spec.gate, thresholds, spec.sensitivity)
    service.detector(bundles)  # complains now, not at the first client

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        server = await service.start(uri)
        phrases = ", ".join(repr(b.phrase) for b in service.bundles)
        say(f"serving {phrases} at {uri}; Ctrl-C ends")
        while not stop.is_set():
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_S)
            take_over(service, releases, say)
        server.close()
        service.hang_up()

    asyncio.run(run())
    return 0


def take_over(service: WyomingService, releases: Releases, say: Callable[[str], None]) -> None:
    """What an update brought since the last look; what does not run is told and left."""
    try:
        if not releases.changed():
            return
        bundles = releases.load()
        service.detector(bundles)
    except WakewordError as error:
        say(f"{error}; the models in memory go on")
        return
    service.bundles = bundles
    say("the models were replaced; the new ones are listening")
