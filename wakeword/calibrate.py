"""``wakeword calibrate``: the threshold for this room, from takes of the phrase and a TV."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import click
import numpy as np

from wakeword import options
from wakeword.audio import SAMPLE_RATE, Int16, level_dbfs, read_file
from wakeword.bundle import Bundle
from wakeword.calibration import Calibration, Calibrations, fit_threshold, peak, scores
from wakeword.config import Config
from wakeword.errors import WakewordError
from wakeword.microphone import Microphone

TAKE_S = 3.0
PIECE_S = 30.0  # of background, between two lines about it
LEAST_BACKGROUND_S = 60.0


@click.command()
@options.config("The TOML file that `wakeword listen` gets.")
@click.option(
    "--model",
    metavar="BUNDLE",
    help="Which bundle, if the configuration has several.  [default: its first]",
)
@options.device
@click.option(
    "--takes",
    "take_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A recording with the phrase in it once, in place of saying it; may be repeated.",
)
@click.option(
    "--background",
    "background_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A recording of the room without the phrase, in place of listening; may be repeated.",
)
@click.option(
    "--count",
    type=click.IntRange(3),
    default=10,
    show_default=True,
    help="How often to say the phrase.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(1),
    default=10.0,
    show_default=True,
    help="How long to listen to the television or radio.",
)
@click.option("--forget", is_flag=True, help="Go back to the bundle's own threshold.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with what was measured.")
def calibrate(
    config_path: str | None,
    model: str | None,
    device: str | None,
    take_files: tuple[Path, ...],
    background_files: tuple[Path, ...],
    count: int,
    minutes: float,
    forget: bool,
    as_json: bool,
) -> int:
    """Find the threshold for this room: say the phrase, then leave the television on.

    The result is kept in the user's configuration folder and used by `wakeword listen`, unless
    --threshold or --sensitivity say otherwise; the bundle is not changed.
    """
    config = Config.load(config_path) if config_path else Config()
    if device is not None:
        config = replace(config, microphone=replace(config.microphone, device=device))
    bundle = Bundle.load(model or config.installed_models()[0])
    path = config.detector.calibration_path
    if forget:
        kept = Calibrations.load(path).bundles
        gone = kept.pop(bundle.name, None)
        Calibrations(kept).save(path)
        click.echo(f"{path}: {'forgot' if gone else 'there was nothing on'} {bundle.name}")
        return 0

    def say(message: str) -> None:
        click.echo(message, err=as_json)

    takes = [read_file(f) for f in take_files]
    background = [read_file(f) for f in background_files]
    if not takes or not background:
        microphone = config.microphone.make(lambda message: click.echo(message, err=True))
        with microphone:
            takes = takes or _takes(microphone, bundle, count, say)
            background = background or [_background(microphone, bundle, minutes, say)]
    made = measure(bundle, takes, background)
    known = Calibrations.load(path).bundles
    Calibrations({**known, bundle.name: made}).save(path)
    if as_json:
        click.echo(json.dumps({"name": bundle.name, **asdict(made)}))
    else:
        _tell(bundle, made, path)
    return 0


def measure(bundle: Bundle, takes: list[Int16], background: list[Int16]) -> Calibration:
    """The calibration. Raises WakewordError when there is too little to say anything."""
    length_s = sum(map(len, background)) / SAMPLE_RATE
    if length_s < LEAST_BACKGROUND_S:
        raise WakewordError(
            f"{length_s:.0f} s of background; expected {LEAST_BACKGROUND_S:.0f} s at least, "
            "better ten minutes"
        )
    today = datetime.date.today().isoformat()
    over = np.concatenate([scores(bundle, audio) for audio in background])
    return fit_threshold(bundle, [peak(bundle, take) for take in takes], over, today)


def _takes(
    microphone: Microphone, bundle: Bundle, count: int, say: Callable[[str], None]
) -> list[Int16]:
    say(f"Say {bundle.phrase!r} {count} times, from where you will say it, once after each line.")
    found = []
    for number in range(1, count + 1):
        time.sleep(0.5)
        say(f"  {number} of {count}: now")
        take = _record(microphone, TAKE_S)
        say(f"      score {peak(bundle, take):.2f}")
        found.append(take)
    return found


def _background(
    microphone: Microphone, bundle: Bundle, minutes: float, say: Callable[[str], None]
) -> Int16:
    say(
        f"Now leave the television or radio on for {minutes:g} minutes, and do not say "
        "the phrase. Ctrl-C ends without a change."
    )
    pieces: list[Int16] = []
    wanted_s, heard_s = minutes * 60, 0.0
    while heard_s < wanted_s:
        piece = _record(microphone, min(PIECE_S, wanted_s - heard_s))
        pieces.append(piece)
        heard_s += len(piece) / SAMPLE_RATE
        say(f"  {_clock(wanted_s - heard_s)} to go; {_heard(bundle, piece)}")
    return np.concatenate(pieces)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _heard(bundle: Bundle, piece: Int16) -> str:
    """What a piece of background is worth, so that nobody waits ten minutes in vain."""
    found, level = scores(bundle, piece), level_dbfs(piece)
    if not found.any():
        return f"{level:.0f} dBFS, no voice in it: is the television on, and loud enough?"
    highest = float(found.max())
    told = f"{level:.0f} dBFS, highest score {highest:.2f}"
    if highest >= bundle.threshold():
        told += ", over the bundle's threshold: did somebody say the phrase? Then begin again"
    return told


def _record(microphone: Microphone, seconds: float) -> Int16:
    """What the microphone gives from now on; what waited in its queue is left out."""
    blocks: list[Int16] = []
    wanted, started = round(seconds * SAMPLE_RATE), time.monotonic()
    for block in microphone:
        if microphone.lost:
            raise WakewordError("the microphone went away; begin again when it is back")
        if not blocks and time.monotonic() - started < 0.01 and len(block):
            started = time.monotonic()
            continue  # it came at once, so it had waited
        blocks.append(block)
        if sum(map(len, blocks)) >= wanted:
            break
    return np.concatenate(blocks)[:wanted]


def _tell(bundle: Bundle, made: Calibration, path: Path) -> None:
    click.echo(
        f"{bundle.phrase!r}: threshold {made.threshold:g}, the bundle's own is "
        f"{made.bundle_threshold:g}\n"
        f"  missed {made.missed} of {made.takes} takes (95 %: at most "
        f"{100 * made.frr_high:.0f} % of all)\n"
        f"  woke {made.false_accepts} times in {made.background_s / 60:.1f} minutes of background "
        f"(95 %: at most {made.fa_per_hour_high:.1f} an hour)\n"
        f"  kept in {path}; `wakeword calibrate --forget` goes back"
    )
    if made.missed:
        click.echo(
            "  The background scores as high as some takes do: turn it down, come nearer, or train "
            "with recordings from this room."
        )
