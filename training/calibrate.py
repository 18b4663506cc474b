"""Operating points: thresholds for target rates of false accepts, from streams kept aside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from training.evaluate import Heard
from training.validate import peaks
from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES
from wakeword.bundle import Bundle, OperatingPoint
from wakeword.errors import WakewordError

TAIL_PEAKS = 40  # the highest false peaks: the tail of their distribution is fitted to these
BEYOND = 10  # a rate is extrapolated to at most a tenth of an event in the audio there is
HIGHEST, LOWEST = 0.99, 0.1  # of a threshold: above, a mean of uint8 has no resolution


@dataclass(frozen=True)
class Target:
    """A named operating point and the false accepts per hour that it aims at."""

    name: str
    fa_per_hour: float


@dataclass(frozen=True)
class CalibrateSpec:
    """Which operating points a bundle gets."""

    points: tuple[Target, ...] = field(
        default=(Target("strict", 0.1), Target("balanced", 0.5), Target("eager", 2.0))
    )
    stream_copies: int = 2  # of the speech kept aside, augmented, besides the plain one


def operating_points(
    bundle: Bundle, heard: Sequence[Heard], targets: Sequence[Target]
) -> tuple[OperatingPoint, ...]:
    """Thresholds that should give each target on audio like these streams of other people's talk.

    A rate of 0.1 an hour can't be counted in an hour or two. False peaks thin out exponentially
    in their logit, so the rate beyond the highest ones follows from the mean excess of the
    :data:`TAIL_PEAKS` highest (peaks over threshold; Hill, Annals of Statistics 3, 1975). Where
    even that would reach too far, the threshold is that of the lowest rate within reach.
    """
    hours = sum(one.stream.hours for one in heard)
    if not hours:
        raise WakewordError("no speech was kept aside, so no threshold can be chosen")
    scores = np.sort(np.concatenate([false_scores(bundle, one) for one in heard]))[::-1]
    return tuple(
        OperatingPoint(t.name, round(_threshold(scores, hours, t.fa_per_hour), 4)) for t in targets
    )


def false_scores(bundle: Bundle, heard: Heard) -> npt.NDArray[np.float64]:
    """Heights of the peaks of a stream's score, a refractory time apart."""
    if not len(heard.trace):
        return np.empty(0)
    score = np.zeros(int(heard.trace["unit"].max()) + 1, np.float32)
    np.maximum.at(score, heard.trace["unit"], heard.trace["score"])
    refractory = round(bundle.extension.refractory_s * SAMPLE_RATE / STEP_SAMPLES)
    return peaks(score, refractory)[:, 0]


def _threshold(scores: npt.NDArray[np.float64], hours: float, per_hour: float) -> float:
    """Where the rate of peaks falls to ``per_hour``; ``scores`` are sorted, highest first."""
    tail = scores[:TAIL_PEAKS]
    if len(tail) < 5:
        return LOWEST
    logits = np.log(tail / (1 - np.minimum(tail, 0.999)))
    base = logits[-1]
    spread = max(float(np.mean(logits[:-1] - base)), 1e-3)
    logit = base + spread * math.log(len(tail) / max(hours * per_hour, 1 / BEYOND))
    return min(max(1 / (1 + math.exp(-logit)), LOWEST), HIGHEST)
