"""Operating points: thresholds for target rates of false accepts, from streams kept aside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from training.evaluate import Heard
from training.validate import AFTER_END_S, peaks
from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES
from wakeword.bundle import Bundle, OperatingPoint
from wakeword.errors import WakewordError

TAIL_PEAKS = 40  # the highest false peaks: the tail of their distribution is fitted to these
POOLED_PEAKS = 20  # peaks that what two tails have in common counts for, when they are compared
BEYOND = 10  # a rate is extrapolated to at most a tenth of an event in the audio there is
HIGHEST, LOWEST = 0.99, 0.1  # of a threshold: above, a mean of uint8 has no resolution


@dataclass(frozen=True)
class Target:
    """A named operating point: what it aims at, on people and voices kept aside."""

    name: str
    fa_per_hour: float
    near_miss_share: float = 1.0  # of what sounds like the phrase, this much may fire at most

    def __post_init__(self) -> None:
        if not 0 < self.near_miss_share <= 1:
            raise ValueError(
                f"near_miss_share is {self.near_miss_share:g}; expected over 0, to 1 (no limit)"
            )


@dataclass(frozen=True)
class CalibrateSpec:
    """Which operating points a bundle gets."""

    points: tuple[Target, ...] = field(
        default=(Target("strict", 0.1, 0.02), Target("balanced", 0.5, 0.02), Target("eager", 2.0))
    )
    stream_copies: int = 2  # of the speech kept aside, augmented, besides the plain one


def operating_points(
    bundle: Bundle, heard: Sequence[Heard], targets: Sequence[Target], near: Sequence[Heard] = ()
) -> tuple[OperatingPoint, ...]:
    """Thresholds that should give each target on audio like these streams of other people's talk.

    ``near`` are streams of near misses, of which no more than a target's share may fire.

    A rate of 0.1 an hour can't be counted in an hour or two. False peaks thin out exponentially
    in their logit, so the rate beyond the highest ones follows from the mean excess of the
    :data:`TAIL_PEAKS` highest (peaks over threshold; Hill, Annals of Statistics 3, 1975). Where
    even that would reach too far, the threshold is that of the lowest rate within reach.
    """
    hours = sum(one.stream.hours for one in heard)
    if not hours:
        raise WakewordError("no speech was kept aside, so no threshold can be chosen")
    scores = np.sort(np.concatenate([false_scores(bundle, one) for one in heard]))[::-1]
    best = np.sort(np.concatenate([np.empty(0), *(best_scores(one) for one in near)]))[::-1]
    points = []
    for target in targets:
        by_rate = _threshold(scores, hours, target.fa_per_hour)
        by_near_misses = _exceeded_by(best, target.near_miss_share)
        points.append(OperatingPoint(target.name, round(max(by_rate, by_near_misses), 4)))
    return tuple(points)


def best_scores(heard: Heard) -> npt.NDArray[np.float64]:
    """The highest score of each utterance of a stream, up to :data:`AFTER_END_S` after its end."""
    at, score = heard.trace["time_s"], heard.trace["score"]
    return np.array([
        score[(at >= truth.start_s) & (at <= truth.end_s + AFTER_END_S)].max(initial=0.0)
        for truth in heard.stream.truths
    ])  # fmt: skip


def _exceeded_by(scores: npt.NDArray[np.float64], share: float) -> float:
    """What at most ``share`` of the scores, highest first, reach; LOWEST if that is all of them.

    One may always: of 40 near misses 2 % would be none, and the oddest clip would decide.
    """
    allowed = max(1, int(share * len(scores)))
    return min(float(scores[allowed]) + 1e-4, HIGHEST) if allowed < len(scores) else LOWEST


def false_scores(bundle: Bundle, heard: Heard) -> npt.NDArray[np.float64]:
    """Heights of the peaks of a stream's score, a refractory time apart."""
    if not len(heard.trace):
        return np.empty(0)
    score = np.zeros(int(heard.trace["unit"].max()) + 1, np.float32)
    np.maximum.at(score, heard.trace["unit"], heard.trace["score"])
    refractory = round(bundle.extension.refractory_s * SAMPLE_RATE / STEP_SAMPLES)
    return peaks(score, refractory)[:, 0]


def same_rate(old: npt.NDArray[np.float64], new: npt.NDArray[np.float64], at: float) -> float:
    """The threshold on ``new`` peaks that is passed no more often than ``at`` on ``old`` ones.

    Both are false peaks of the same audio. It is the higher of two: the one with the same rank
    among the peaks, and the one with the same rate by the tails of both (see operating_points).
    """
    old, new = np.sort(old)[::-1], np.sort(new)[::-1]
    rank = int(np.sum(old >= at))
    by_rank = float(new[rank]) + 1e-4 if rank < len(new) else LOWEST
    if min(len(old), len(new)) < 5:
        return min(max(by_rank, at), HIGHEST)
    (base, spread, n), (new_base, new_spread, new_n) = _tail(old), _tail(new)
    # The spread of a few peaks is a poor guess, and it is multiplied by how far the threshold lies
    # beyond them: as far as peaks are few, both tails count as one.
    pooled = (n * spread + new_n * new_spread) / (n + new_n)
    spread = (n * spread + POOLED_PEAKS * pooled) / (n + POOLED_PEAKS)
    new_spread = (new_n * new_spread + POOLED_PEAKS * pooled) / (new_n + POOLED_PEAKS)
    expected = n * math.exp(-(_logit(at) - base) / spread)
    logit = new_base + new_spread * math.log(new_n / expected)
    by_tail = 1 / (1 + math.exp(-logit))
    return min(max(by_rank, by_tail, LOWEST), HIGHEST)


def _tail(scores: npt.NDArray[np.float64]) -> tuple[float, float, int]:
    """Where the tail of false peaks begins, in logits, how far one reaches beyond; their number."""
    logits = [_logit(score) for score in scores[:TAIL_PEAKS]]
    base = logits[-1]
    return base, max(float(np.mean(logits[:-1])) - base, 1e-3), len(logits)


def _logit(score: float) -> float:
    return math.log(score / (1 - min(score, 0.999)))


def _threshold(scores: npt.NDArray[np.float64], hours: float, per_hour: float) -> float:
    """Where the rate of peaks falls to ``per_hour``; ``scores`` are sorted, highest first."""
    if len(scores) < 5:
        return LOWEST
    base, spread, n = _tail(scores)
    logit = base + spread * math.log(n / max(hours * per_hour, 1 / BEYOND))
    return min(max(1 / (1 + math.exp(-logit)), LOWEST), HIGHEST)
