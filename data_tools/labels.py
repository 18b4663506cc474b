"""Frame labels from events: when the network should say yes, and when nobody minds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wakeword.audio import HOP_SAMPLES, SAMPLE_RATE

IGNORED = -1
WINDOW_HOPS = 3  # the front end gives its first frame with the third hop


def n_frames_of(n_samples: int) -> int:
    """Frames that a fresh front end gives for ``n_samples``."""
    return max(0, n_samples // HOP_SAMPLES - WINDOW_HOPS + 1)


def frame_of(seconds: float) -> int:
    """The first frame that has heard everything up to ``seconds`` of its scene; 0 at the least."""
    return max(0, math.ceil(seconds * SAMPLE_RATE / HOP_SAMPLES - 1e-6) - WINDOW_HOPS)


@dataclass(frozen=True)
class LabelSpec:
    """The stretch after the end of a phrase that counts as yes, and the margins that don't count.

    All times in seconds, relative to the end of the phrase.
    """

    from_s: float = 0.0
    to_s: float = 0.3
    # Before ``from_s`` it may be sure early: a last sound may be long, and is told by its start.
    # What is said up to there and goes on otherwise are near misses, which teach it to wait.
    ignored_before_s: float = 0.5
    ignored_after_s: float = 0.4  # after ``to_s``: it may stay sure a while

    def __post_init__(self) -> None:
        if self.to_s <= self.from_s:
            raise ValueError(f"to_s = {self.to_s:g}; expected more than from_s = {self.from_s:g}")
        if min(self.ignored_before_s, self.ignored_after_s) < 0:
            raise ValueError("an ignored margin is less than 0 s")


def frame_labels(
    end_frames: npt.NDArray[np.integer], n_frames: int, spec: LabelSpec
) -> npt.NDArray[np.int8]:
    """(n_frames,) int8: 1 after the end of each phrase, -1 around that, 0 elsewhere.

    ``end_frames`` are the frames at which phrases end (10 ms each), as in a feature store's events.
    """

    def frames(seconds: float) -> int:
        return round(seconds * 100)

    labels = np.zeros(n_frames, np.int8)
    for end in end_frames:
        first = int(end) + frames(spec.from_s)
        last = int(end) + frames(spec.to_s)
        margin = slice(
            max(0, first - frames(spec.ignored_before_s)),
            max(0, last + frames(spec.ignored_after_s)),
        )
        labels[margin][labels[margin] == 0] = IGNORED
        labels[max(0, first) : max(0, last)] = 1
    return labels
