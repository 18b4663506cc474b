"""``wakeword detect``: the phrase in audio files, or in raw PCM from a pipe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import click
import numpy as np

from wakeword import options
from wakeword.audio import Int16, stream_file, stream_raw
from wakeword.bundle import DEFAULT_NAME
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.errors import AudioError, WakewordError
from wakeword.gate import UNIT_S
from wakeword.spec import write_atomic


class ScoreTrace:
    """The smoothed score and the gate of every 30 ms unit, as ``--scores`` saves them.

    A pre-roll is heard after its time: its scores replace the zeros that stood there.
    """

    def __init__(self, n_bundles: int):
        self._rows: list[dict[int, float]] = [{} for _ in range(n_bundles)]

    def clear(self) -> None:
        """Forget all steps, before the next file."""
        for row in self._rows:
            row.clear()

    def __call__(self, unit: int, bundle: int, score: float) -> None:
        """Note the score of bundle number ``bundle`` in unit number ``unit``."""
        self._rows[bundle][unit] = score

    def save(self, path: Path, n_units: int) -> None:
        """Write a .npz of time_s (n,) float64, the end of each unit; score (n,) float32, or
        (n, n_bundles) for several; gate (n,) bool.
        """
        score = np.zeros((n_units, len(self._rows)), np.float32)
        gate = np.zeros(n_units, bool)
        for column, row in enumerate(self._rows):
            units = np.fromiter(row, np.int64, len(row))
            score[units, column] = np.fromiter(row.values(), np.float32, len(row))
            gate[units] = True
        buffer = BytesIO()
        np.savez_compressed(
            buffer,
            time_s=(np.arange(n_units) + 1) * UNIT_S,
            score=score[:, 0] if len(self._rows) == 1 else score,
            gate=gate,
        )
        write_atomic(path, buffer.getvalue())


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@options.models
@options.as_json
@click.option(
    "--scores",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write DIR/STEM.npz for each file: time_s, score, gate of every 30 ms.",
)
@options.threshold
@options.sensitivity
@options.no_gate
@click.option(
    "--channel",
    type=click.IntRange(0),
    metavar="N",
    help="Take channel N (from 0) of a file with several; else their mean.",
)
def detect(
    files: tuple[str, ...],
    models: tuple[str, ...],
    as_json: bool,
    scores: Path | None,
    threshold: float | None,
    sensitivity: str | None,
    no_gate: bool,
    channel: int | None,
) -> int:
    """Find the phrase in WAV, FLAC, Ogg or MP3 files of any rate.

    FILE may be "-": raw 16 kHz mono 16-bit little-endian PCM from standard input. A file that
    cannot be read is reported, the others go on, and the exit status is 1.
    """
    if scores is not None:
        _refuse_equal_stems(files)
    models = models or (DEFAULT_NAME,)
    trace = ScoreTrace(len(models)) if scores else None
    detector = Detector.load(
        *models, gate=not no_gate, threshold=threshold, operating_point=sensitivity, trace=trace
    )
    failed = 0
    for name in files:
        if trace:
            trace.clear()
        detector.reset()
        try:
            for block in _blocks(name, channel):
                for detection in detector.push(block):
                    _show(name, detection, as_json)
        except AudioError as error:
            click.echo(f"wakeword: {error}", err=True)
            failed += 1
            continue
        if trace and scores:
            trace.save(scores / f"{_stem(name)}.npz", round(detector.time_s / UNIT_S))
    return 1 if failed else 0


def _blocks(name: str, channel: int | None) -> Iterator[Int16]:
    return stream_raw() if name == "-" else stream_file(name, channel)


def _stem(name: str) -> str:
    return "stdin" if name == "-" else Path(name).stem


def _refuse_equal_stems(files: tuple[str, ...]) -> None:
    seen: dict[str, str] = {}
    for name in files:
        other = seen.setdefault(_stem(name), name)
        if other != name:
            raise WakewordError(
                f"{other} and {name} would both write {_stem(name)}.npz; run them apart, "
                "or into different --scores folders"
            )


def _show(name: str, detection: Detection, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"file": name, **asdict(detection)}, ensure_ascii=False))
    else:
        click.echo(
            f"{name}  {detection.time_s:8.2f} s  {detection.phrase}  (score {detection.score:.2f})"
        )
