"""``wakeword listen``: the phrase at the microphone. ``wakeword devices``: which there are."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict

import click

from wakeword import microphone as microphones
from wakeword.actions import Action
from wakeword.actions.command import CommandAction, words
from wakeword.audio import SAMPLE_RATE, Int16, level_dbfs
from wakeword.bundle import DEFAULT_NAME
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.errors import SpecError
from wakeword.microphone import Microphone

_STATUS_S = 0.2  # between two updates of the status line
_OVERFLOW_S = 60.0  # between two messages about lost audio


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


class Console:
    """Detections on standard output; messages, and on a terminal a status line, on the other."""

    def __init__(self, microphone: Microphone, detector: Detector, as_json: bool):
        self._microphone = microphone
        self._detector = detector
        self._as_json = as_json
        self._has_status = not as_json and sys.stderr.isatty()
        self._status_at = 0.0
        self._overflows = 0
        self._overflow_at = -_OVERFLOW_S
        self._heard = 0

    def start(self) -> None:
        """Say what listens to what."""
        device = self._microphone.device
        if self._as_json or device is None:
            return
        phrases = ", ".join(repr(b.phrase) for b in self._detector.bundles)
        rate = self._microphone.rate_hz
        turned = "" if rate == SAMPLE_RATE else f", resampled to {SAMPLE_RATE} Hz"
        self.say(f"listening for {phrases} on {device.name!r} at {rate} Hz{turned}; Ctrl-C ends")

    def show(self, detection: Detection) -> None:
        """Print one detection at once: a JSON object a line, or for people."""
        self._heard += 1
        if self._as_json:
            click.echo(json.dumps(asdict(detection), ensure_ascii=False))
        else:
            self._clear()
            now = time.strftime("%H:%M:%S")
            click.echo(f"{now}  {detection.phrase}  (score {detection.score:.2f})")
        sys.stdout.flush()

    def say(self, message: str) -> None:
        """A message on standard error."""
        self._clear()
        click.echo(f"wakeword: {message}", err=True)

    def after_block(self, block: Int16) -> None:
        """Renew the status line, and tell when audio was lost."""
        now = time.monotonic()
        overflows = self._microphone.overflows
        if overflows > self._overflows and now - self._overflow_at >= _OVERFLOW_S:
            self._overflows, self._overflow_at = overflows, now
            self.say(f"audio was lost, {overflows} times so far: the CPU did not keep up")
        if self._has_status and now - self._status_at >= _STATUS_S:
            self._status_at = now
            click.echo(f"\r\x1b[K{self._status(block)}", err=True, nl=False)

    def _status(self, block: Int16) -> str:
        if self._microphone.lost:
            return "no audio: the microphone is away"
        gate = "open  " if self._detector.gate_open else "closed"
        scores = "  ".join(f"{name} {x:.2f}" for name, x in self._detector.scores.items())
        return f"{level_dbfs(block):4.0f} dBFS  gate {gate}  {scores}  heard {self._heard}"

    def _clear(self) -> None:
        if self._has_status:
            click.echo("\r\x1b[K", err=True, nl=False)


def _channel(
    context: click.Context, option: click.Parameter, value: str | None
) -> tuple[int, int | None] | None:
    """N or N/M."""
    if value is None:
        return None
    number, slash, count = value.partition("/")
    if not number.isdecimal() or (slash and not count.isdecimal()):
        raise click.BadParameter(f"{value!r}; expected a channel from 0, or one of M, as in 2/4")
    return int(number), int(count) if slash else None


@click.command()
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
    "--device",
    metavar="NAME",
    help="The microphone: its number or a part of its name, as `wakeword devices` lists them.",
)
@click.option(
    "--channel",
    callback=_channel,
    metavar="N[/M]",
    help="Take channel N (from 0) of a microphone with several; a sound server has to be asked "
    "for channel N of M.",
)
@click.option(
    "--on-detect",
    metavar="CMD",
    help="Run this program with its arguments (no shell) at each detection; WAKEWORD_NAME, "
    "WAKEWORD_PHRASE, WAKEWORD_SCORE and WAKEWORD_TIME_S are in its environment.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a detection, one a line.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    metavar="X",
    help="Fire at this smoothed score in place of the bundle's own.",
)
@click.option(
    "--sensitivity",
    metavar="NAME",
    help="One of the bundle's operating points: strict, balanced, eager.",
)
@click.option("--no-gate", is_flag=True, help="Let the network hear everything, voice or not.")
def listen(
    models: tuple[str, ...],
    device: str | None,
    channel: tuple[int, int | None] | None,
    on_detect: str | None,
    as_json: bool,
    threshold: float | None,
    sensitivity: str | None,
    no_gate: bool,
) -> int:
    """Listen at the microphone until Ctrl-C or SIGTERM.

    The microphone may go away and come back; that is told on standard error.
    """
    try:
        command = words(on_detect) if on_detect is not None else None
    except SpecError as error:
        raise click.BadParameter(str(error), param_hint="--on-detect") from None
    number, count = channel or (None, None)
    microphone = Microphone(device, number, count, on_change=lambda message: console.say(message))
    with ExitStack() as stack:
        stack.enter_context(stopped_by_signals(microphone))
        detector = Detector.load(
            *models, gate=not no_gate, threshold=threshold, operating_point=sensitivity
        )
        console = Console(microphone, detector, as_json)
        actions = [CommandAction(command, report=console.say)] if command else []
        stack.enter_context(microphone)
        console.start()
        for action in actions:
            stack.callback(action.close)
        hear(microphone, detector, actions, console.show, console.after_block)
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
