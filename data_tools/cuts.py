"""Long recordings into takes: cut where nobody speaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_tools.bounds import FRAME_SAMPLES, OVER_FLOOR_DB, frame_levels_db
from wakeword.audio import SAMPLE_RATE, Int16, stream_file, to_float32

PIECE_S = 600.0  # a day of audio is read ten minutes at a time
SEEK_S = 30.0  # a piece ends at the quietest moment of its last half minute


@dataclass(frozen=True)
class CutSpec:
    """What counts as one take."""

    pause_s: float = 0.45  # a longer pause ends it; "Robert, turn on" has a shorter one inside
    margin_s: float = 0.25  # kept around the speech
    min_s: float = 0.25
    max_s: float = 20.0
    under_peak_db: float = 35.0  # what is quieter than this under the loud parts is no speech


class Take(NamedTuple):
    """A stretch of a recording, in samples, with its margins."""

    start: int
    end: int
    speech_dbfs: float

    @property
    def duration_s(self) -> float:
        """Seconds, margins included."""
        return (self.end - self.start) / SAMPLE_RATE


def takes(samples: Int16, spec: CutSpec) -> list[Take]:
    """The takes in (n,) int16 at 16 kHz, in order."""
    levels = frame_levels_db(to_float32(samples))
    if not len(levels):
        return []
    loud_part = float(np.quantile(levels, 0.98))
    floor = float(np.quantile(levels, 0.1))
    threshold = min(max(loud_part - spec.under_peak_db, floor + OVER_FLOOR_DB), loud_part - 6)
    speech = np.flatnonzero(levels > threshold)
    if not len(speech):
        return []
    pause = round(spec.pause_s * SAMPLE_RATE / FRAME_SAMPLES)
    breaks = np.flatnonzero(np.diff(speech) > pause)
    starts = speech[np.concatenate([[0], breaks + 1])] * FRAME_SAMPLES
    ends = (speech[np.concatenate([breaks, [len(speech) - 1]])] + 1) * FRAME_SAMPLES
    margin = int(spec.margin_s * SAMPLE_RATE)
    found = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if spec.min_s <= (end - start) / SAMPLE_RATE <= spec.max_s:
            inside = levels[start // FRAME_SAMPLES : end // FRAME_SAMPLES]
            found.append(
                Take(max(0, start - margin), min(len(samples), end + margin), float(inside.max()))
            )
    return found


def pieces(path: str | Path) -> Iterator[tuple[float, Int16]]:
    """A file of any length as stretches of ten minutes at most: start in seconds, (n,) int16."""
    limit = int(PIECE_S * SAMPLE_RATE)
    start = 0
    held: list[Int16] = []
    n_held = 0
    for block in stream_file(path):
        held.append(block)
        n_held += len(block)
        if n_held >= limit:
            samples = np.concatenate(held)
            seek = int(SEEK_S * SAMPLE_RATE)
            levels = frame_levels_db(to_float32(samples[limit - seek : limit]))
            end = limit - seek + int(np.argmin(levels)) * FRAME_SAMPLES
            yield start / SAMPLE_RATE, samples[:end]
            start += end
            held, n_held = [samples[end:]], n_held - end
    if n_held:
        yield start / SAMPLE_RATE, np.concatenate(held)
