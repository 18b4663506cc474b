"""Where speech starts and ends in a clip, by energy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wakeword.audio import SAMPLE_RATE

FRAME_SAMPLES = 160  # 10 ms
CORE_DB = 27.0  # what lies this little under the loudest 10 ms is speech
EDGE_DB = 44.0  # it starts and ends this far under: a final nasal dies away slowly
OVER_FLOOR_DB = 9.0
MIN_RUN_FRAMES = 3  # shorter than 30 ms is a click


def frame_levels_db(samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """RMS level of each whole 10 ms, (n // 160,) float32 in dB relative to 1; at least -200."""
    n_frames = len(samples) // FRAME_SAMPLES
    frames = np.asarray(samples[: n_frames * FRAME_SAMPLES], np.float32)
    power = np.mean(np.square(frames.reshape(n_frames, FRAME_SAMPLES)), axis=1)
    return (10 * np.log10(np.maximum(power, 1e-20))).astype(np.float32)


def speech_bounds(samples: npt.NDArray[Any]) -> tuple[int, int] | None:
    """First and one past the last sample of the speech, to 10 ms; None if there is none.

    (n,) int16 or float32 at 16 kHz. Two thresholds (hysteresis): sounds of 30 ms
    or more within 27 dB of the loudest, and from there outwards whatever goes on without a break
    within 44 dB. Both stand 9 dB over the quietest twentieth at least, unless the clip has no quiet
    part: then it is speech throughout.
    """
    levels = frame_levels_db(samples)
    if len(levels) < MIN_RUN_FRAMES or levels.max() <= -190:
        return None
    peak = float(np.partition(levels, -2)[-2])  # one loud frame alone may be a click
    least = float(np.partition(levels, len(levels) // 20)[len(levels) // 20]) + OVER_FLOOR_DB
    loud = levels > min(max(peak - CORE_DB, least), peak - 12.0)
    changes = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(np.int8)))
    starts, ends = changes[::2], changes[1::2]
    long_enough = ends - starts >= MIN_RUN_FRAMES
    if not long_enough.any():
        return None
    start, end = int(starts[long_enough][0]), int(ends[long_enough][-1])
    audible = levels > min(max(peak - EDGE_DB, least), peak - 12.0)
    while start > 0 and audible[start - 1]:
        start -= 1
    while end < len(levels) and audible[end]:
        end += 1
    return start * FRAME_SAMPLES, end * FRAME_SAMPLES


def active_power(samples: npt.NDArray[Any]) -> float:
    """Mean power of the 10 ms frames within 25 dB of the loudest: the level of the speech itself.

    (n,) samples of any scale; the pauses between words don't count, as in ITU-T P.56.
    """
    levels = frame_levels_db(samples)
    if not len(levels):
        return float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    active = levels[levels > levels.max() - 25.0]
    return float(np.mean(10.0 ** (active.astype(np.float64) / 10)))


def seconds(samples: int) -> float:
    """Samples at 16 kHz as seconds, to the millisecond."""
    return round(samples / SAMPLE_RATE, 3)
