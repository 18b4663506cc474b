"""``wakeword listen``: the phrase at the microphone. ``wakeword devices``: which there are."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from typing import Any

import click

from wakeword import microphone as microphones
from wakeword import options
from wakeword.actions import Action
from wakeword.actions.command import CommandSpec, words
from wakeword.audio import SAMPLE_RATE, Int16
from wakeword.clips import ClipKeeper
from wakeword.config import Config, MicrophoneSpec
from wakeword.console import Console
from wakeword.dashboard import Dashboard
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.errors import SpecError
from wakeword.microphone import Microphone
from wakeword.monitor import Monitor
from wakeword.notify import Notifier
from wakeword.reload import ModelWatch
from wakeword.trial import Trials, begin

DASHBOARD_PORT = 8410


def hear(
    microphone: Microphone,
    detector: Detector,
    actions: Sequence[Action],
    show: Callable[[Detection], None],
    after_block: Callable[[Int16], None] = lambda block: None,
) -> None:
    """Listen until the microphone is told to stop."""
    for block in microphone:
        if microphone.gap_s is not None:
            detector.skip(round(microphone.gap_s * SAMPLE_RATE))
        for detection in detector.push(block):
            show(detection)
            for action in actions:
                action.fire(detection)
        for action in actions:
            action.tend()
        after_block(block)


def load(config: Config, report: Callable[[str], None]) -> Detector:
    """The detector, with the releases that updates brought."""
    models = begin(config.update, config.detector.models, report)
    return replace(config.detector, models=models).load(report)


@contextmanager
def stopped_by_signals(microphone: Microphone) -> Iterator[None]:
    """SIGINT and SIGTERM end the iteration over ``microphone`` at the next block."""
    before = {
        number: signal.signal(number, lambda *_: microphone.stop())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _channel(
    context: click.Context, option: click.Parameter, value: str | None
) -> MicrophoneSpec | None:
    """N, N/M, mix or mix/M, as the fields of the microphone that it sets."""
    if value is None:
        return None
    which, slash, count = value.partition("/")
    if not (which.isdecimal() or which == "mix") or (slash and not count.isdecimal()):
        raise click.BadParameter(
            f"{value!r}; expected a channel from 0, or one of M as in 2/4, or mix, or mix/4"
        )
    number = None if which == "mix" else int(which)
    channels = int(count) if slash else None
    return MicrophoneSpec(channel=number, channels=channels, mix=which == "mix")


def _configured(
    config: Config,
    models: tuple[str, ...],
    device: str | None,
    channel: MicrophoneSpec | None,
    on_detect: str | None,
    threshold: float | None,
    sensitivity: str | None,
    no_gate: bool,
    dashboard: bool,
) -> Config:
    """The configuration, with what the command line says instead."""
    microphone = config.microphone
    detector = config.detector.but(models, threshold, sensitivity, no_gate)
    if device is not None:
        microphone = replace(microphone, device=device)
    if channel is not None:
        microphone = replace(
            microphone, channel=channel.channel, channels=channel.channels, mix=channel.mix
        )
    command = config.command
    if on_detect is not None:
        command = (*command, CommandSpec(run=words(on_detect)))
    if dashboard and not config.dashboard.port:
        config = replace(config, dashboard=replace(config.dashboard, port=DASHBOARD_PORT))
    return replace(config, microphone=microphone, detector=detector, command=command)


@click.command()
@options.config("A TOML file with microphone, models and actions; the other options go before it.")
@options.models
@options.device
@click.option(
    "--channel",
    callback=_channel,
    metavar="N[/M]",
    help="Take channel N (from 0) of a microphone with several, or their mean with `mix`; a sound "
    "server has to be asked for N of M, as in 2/4 or mix/4.",
)
@click.option(
    "--on-detect",
    metavar="CMD",
    help="Run this program with its arguments (no shell) at each detection; WAKEWORD_NAME, "
    "WAKEWORD_PHRASE, WAKEWORD_SCORE and WAKEWORD_TIME_S are in its environment.",
)
@options.as_json
@options.threshold
@options.sensitivity
@options.no_gate
@click.option(
    "--dashboard", is_flag=True,
    help=f"A page to look at, at http://127.0.0.1:{DASHBOARD_PORT}/, and /metrics for Prometheus.",
)  # fmt: skip
def listen(config_path: str | None, as_json: bool, **chosen: Any) -> int:
    """Listen at the microphone until Ctrl-C or SIGTERM.

    The microphone may go away and come back; that is told on standard error.
    """
    config = Config.load(config_path) if config_path else Config()
    try:
        config = _configured(config, **chosen)
    except SpecError as error:
        raise click.BadParameter(str(error), param_hint="--on-detect") from None
    microphone = config.microphone.make(on_change=lambda message: console.say(message))
    with ExitStack() as stack:
        stack.enter_context(stopped_by_signals(microphone))
        detector = load(config, lambda message: click.echo(f"wakeword: {message}", err=True))
        console = Console(microphone, detector, as_json)
        notifier = Notifier()
        actions = config.make_actions(detector.bundles, console.say, console.diagnostics)
        keeper = ClipKeeper(config.clips, detector, console.say)
        looked_at = bool(config.dashboard.port)
        monitor = Monitor(config.monitor, detector, microphone, console.say, counting=looked_at)
        dashboard = Dashboard(config.dashboard, detector, microphone, monitor.drift)
        trials = Trials(config.update, config.detector.models, detector, console.say)
        watch = ModelWatch(detector, console.say)
        actions += [keeper, monitor, dashboard, notifier, trials, watch]
        for action in actions:
            stack.callback(action.close)
        stack.enter_context(microphone)
        console.start()
        if config.dashboard.port:
            console.say(f"to look at: {dashboard.url}")
        if config.clips.keep:
            console.say(keeper.state)
        notifier.ready("listening")

        def after_block(block: Int16) -> None:
            console.after_block(block)
            keeper.hear(block)
            monitor.hear(block)
            dashboard.hear(block)

        hear(microphone, detector, actions, console.show, after_block)
        trials.ended()
    return 0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a device, one a line.")
def devices(as_json: bool) -> int:
    """List the microphones; the default one has a star.

    A device that another program holds may be missing from the list.
    """
    found = microphones.devices()
    for device in found:
        if as_json:
            click.echo(json.dumps(asdict(device), ensure_ascii=False))
        else:
            star = "*" if device.default else " "
            click.echo(
                f"{star}{device.number:3}  {device.name}  "
                f"({device.channels} channels, {device.rate_hz} Hz)"
            )
    if not found:
        click.echo("wakeword: no microphone found", err=True)
        return 1
    return 0
