"""Which weights are better: recall at a few false accepts per hour, on features kept aside.

This runs the float network over batches of whole scenes, because it has to be fast enough to be
asked every few hundred steps. What a user experiences is measured by :mod:`training.evaluate`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from training.batches import SILENCE
from training.fit import Verdict
from wakeword.audio import Float32
from wakeword.frontend import N_CHANNELS, dequantize

if TYPE_CHECKING:
    import keras

    from training.distil import Teacher
    from training.material import Material, Numbers

AFTER_END_S = 0.7  # a phrase counts as heard this long after its end


@dataclass(frozen=True)
class ValidationSpec:
    """What a checkpoint is chosen by."""

    fa_per_hour: tuple[float, ...] = (1.0, 4.0, 16.0)  # recall is averaged over these
    near_miss_weight: float = 1.0  # the share of near misses that fire is taken off the rank
    mined_score: float = 0.2  # a false peak above this goes into the batches
    mined_peaks: int = 4000  # at most, the highest


class Validator:
    """Scores material with a network. Holds nothing but what it was made with."""

    def __init__(
        self,
        spec: ValidationSpec,
        aside: Material,
        learned: Material,
        window: int,
        refractory_s: float,
        stride: int,
    ):
        self.spec, self.aside, self.learned = spec, aside, learned
        self.window, self.stride = window, stride
        self.refractory_steps = round(refractory_s * 100 / stride)

    def __call__(self, model: keras.Model) -> Verdict:
        """Rank the model's present weights, and mine what it learns from for false accepts."""
        scores = self.scores(model, self.aside)
        # Near misses count by their share. Scenes are full of them, and were they false accepts as
        # well, a handful by the oddest voice would decide about every checkpoint.
        peaks, hours = self.false_peaks(scores, self.aside, near_misses=False)
        heard = scores[self.best_steps(scores, self.aside.phrases)]
        near = scores[self.best_steps(scores, self.aside.others)]
        metrics, rank = {}, 0.0
        for target in self.spec.fa_per_hour:
            threshold = rate_threshold(peaks[:, 0], hours, target)
            recall = float(np.mean(heard >= threshold)) if len(heard) else 0.0
            fired = float(np.mean(near >= threshold)) if len(near) else 0.0
            metrics[f"recall@{target:g}"] = recall
            rank += (recall - self.spec.near_miss_weight * fired) / len(self.spec.fa_per_hour)
        metrics["near_miss"] = fired
        mined = self.mine(model)
        metrics["mined"] = len(mined)
        return Verdict(rank, metrics, mined)

    def mine(self, model: keras.Model) -> Numbers:
        """Frames of what it learns from at which the model fires falsely, the worst first."""
        mined, _ = self.false_peaks(self.scores(model, self.learned), self.learned)
        mined = mined[mined[:, 0] >= self.spec.mined_score][: self.spec.mined_peaks]
        return mined[:, 1].astype(np.int64) * self.stride

    def scores(self, model: Teacher, material: Material, temperature: float = 1.0) -> Float32:
        """(n_frames // stride,) smoothed scores; every scene from a zero state."""
        scores = np.zeros(len(material.frames) // self.stride + 1, np.float32)
        for spans in _batches(material.scenes, self.stride):
            longest = max(stop - start for start, stop in spans)
            batch = np.full((len(spans), longest, N_CHANNELS), SILENCE, np.int8)
            for row, (start, stop) in zip(batch, spans, strict=True):
                row[: stop - start] = material.frames[start:stop]
            logits = np.asarray(model.predict_on_batch(dequantize(batch)))[:, :, 0]
            smoothed = smooth(1 / (1 + np.exp(-logits / temperature)), self.window)
            for row, (start, stop) in zip(smoothed, spans, strict=True):
                first, n = start // self.stride, (stop - start) // self.stride
                scores[first : first + n] = row[:n]
        return scores

    def false_peaks(
        self, scores: Float32, material: Material, near_misses: bool = True
    ) -> tuple[npt.NDArray[np.float64], float]:
        """Peaks where the phrase was not said, highest first, as rows (score, step); and the hours.

        Firing early within the phrase is no false accept. Without ``near_misses`` those are left
        out as well, and the time that they take.
        """
        labels = material.labels[:: self.stride]
        judged = (labels == 0) & ~self._during(material.phrases, len(labels))
        hours = material.hours
        if not near_misses:
            during = self._during(material.others, len(labels))
            judged &= ~during
            hours *= 1 - float(np.mean(during))
        return peaks(np.where(judged, scores[: len(labels)], 0.0), self.refractory_steps), hours

    def best_steps(self, scores: Float32, utterances: Numbers) -> Numbers:
        """The step of the highest score of each (start, end) utterance, (n,) int64."""
        best = [
            first + int(scores[first:last].argmax())
            for first, last in self._steps(utterances, len(scores))
        ]
        return np.array(best, np.int64)

    def _during(self, utterances: Numbers, n_steps: int) -> npt.NDArray[np.bool_]:
        """(n_steps,) whether an utterance is said, or was said just before."""
        during = np.zeros(n_steps, bool)
        for first, last in self._steps(utterances, n_steps):
            during[first:last] = True
        return during

    def _steps(self, utterances: Numbers, n_steps: int) -> Iterator[tuple[int, int]]:
        """First step of each utterance and the one after its last, :data:`AFTER_END_S` included.

        As in evaluation, a phrase may be heard from its start on: the last sound of one that is
        said slowly takes half a second, and what it is can be told at once.
        """
        for start, end in utterances.tolist():
            first = min(max(start // self.stride, 0), n_steps - 1)
            yield first, max((end + round(AFTER_END_S * 100)) // self.stride, first) + 1


def smooth(probabilities: Float32, window: int) -> Float32:
    """Mean of the last ``window`` steps along the last axis, zeros before the first."""
    summed = np.cumsum(probabilities, axis=-1, dtype=np.float64)
    summed[..., window:] -= summed[..., :-window].copy()
    return (summed / window).astype(np.float32)


def peaks(scores: Float32, refractory_steps: int) -> npt.NDArray[np.float64]:
    """(n, 2) score and step of the highest peaks, at least ``refractory_steps`` apart.

    The number of rows at or above a threshold is close to what a detector with that refractory
    time would emit.
    """
    candidates = np.flatnonzero(scores > 0.05)
    taken = np.zeros(len(scores), bool)
    found = []
    for step in candidates[np.argsort(-scores[candidates], kind="stable")]:
        if not taken[step]:
            found.append((float(scores[step]), float(step)))
            taken[max(0, step - refractory_steps) : step + refractory_steps + 1] = True
    return np.array(found, np.float64).reshape(-1, 2)


def rate_threshold(scores: npt.NDArray[np.float64], hours: float, per_hour: float) -> float:
    """The lowest threshold at which ``scores``, highest first, fire at most ``per_hour``."""
    allowed = int(per_hour * hours)
    return float(scores[allowed]) + 1e-6 if allowed < len(scores) else 0.05


def _batches(
    starts: npt.NDArray[np.int64], stride: int, size: int = 64, longest_frames: int = 3000
) -> list[list[tuple[int, int]]]:
    """Spans (first frame, one past the last) of scenes, cut at 30 s, in batches of like length."""
    spans = [
        (first, min(first + longest_frames, stop))
        for start, stop in itertools.pairwise(starts)
        for first in range(int(start), int(stop), longest_frames)
    ]
    spans = [(a, b - (b - a) % stride) for a, b in spans if b - a >= stride]
    spans.sort(key=lambda span: span[1] - span[0])
    return [spans[i : i + size] for i in range(0, len(spans), size)]
