"""Teachers and the phone head as one teacher: what both ears of a device would say together.

A network that learns the fused score hears, alone, some of what the second ear adds: a
microcontroller that runs no phone head keeps that much of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.distil import Teacher
from wakeword.audio import Float32
from wakeword.phrase import LEAST, WORST, PhraseScorer, PhraseSpec

if TYPE_CHECKING:
    import keras


class FusedTeacher:
    """The logit of the score that both ears have at every step of a batch.

    Below the floor the second ear is not asked, and the wake network's own logit stands. Logits are
    those of before the export divides them by the ``temperature``: who learns them exactly scores,
    exported, as both ears do.
    """

    def __init__(self, wake: Teacher, phones: keras.Model, spec: PhraseSpec, temperature: float):
        self._wake, self._phones, self.spec, self._temperature = wake, phones, spec, temperature
        strings = (*spec.pronunciations, *spec.competitors)
        self._chains = PhraseScorer(spec.symbols, strings, spec.hold_steps)
        self._n_phones = np.array([len(string) for string in spec.pronunciations])

    def predict_on_batch(self, frames: Float32) -> Float32:
        """(n, n_frames, 40) float32 -> (n, n_steps, 1) float32 logits."""
        logits = self._wake.predict_on_batch(frames)
        wake = logits / self._temperature
        floor = np.log(self.spec.floor / (1 - self.spec.floor))
        asked = wake[:, :, 0] >= floor
        rows = np.flatnonzero(asked.any(axis=1))
        if len(rows):
            phrase, margin = self.evidence(self._phones.predict_on_batch(frames[rows]))
            fusion = self.spec.fusion
            fused = fusion.bias + fusion.wake * wake[rows, :, 0]
            fused += fusion.phrase * phrase + fusion.margin * margin
            logits[rows, :, 0] = np.where(
                asked[rows], fused * self._temperature, logits[rows, :, 0]
            )
        return logits

    def evidence(self, phones: Float32) -> tuple[Float32, Float32]:
        """(n, n_steps, n_symbols) logits -> phrase and margin, (n, n_steps) each.

        :meth:`wakeword.phrase.SecondEar.evidence` at every step at once; a path may be longer than
        the device's window, which costs it too much to be the best.
        """
        losses = phones - phones.max(axis=2, keepdims=True)
        columns, skip = self._chains.columns, self._chains.skip[:, 2:].astype(np.float32)
        strings = np.arange(len(columns))
        path = np.full((len(losses), *columns.shape), LEAST, np.float32)
        ends = np.empty((*losses.shape[:2], len(strings)), np.float32)
        for step in range(losses.shape[1]):
            reach = path.copy()
            np.maximum(reach[..., 1:], path[..., :-1], out=reach[..., 1:])
            np.maximum(reach[..., 2:], path[..., :-2] + skip, out=reach[..., 2:])
            reach[..., 0] = 0
            path = np.maximum(reach + losses[:, step][:, columns], LEAST)
            ends[:, step] = path[:, strings, self._chains.last]
        totals = ends.copy()
        for ago in range(1, self.spec.hold_steps):
            np.maximum(totals[:, ago:], ends[:, :-ago], out=totals[:, ago:])
        own, others = np.split(totals, [len(self._n_phones)], axis=2)
        phrase = (own / self._n_phones).max(axis=2)
        lead = own.max(axis=2) - others.max(axis=2, initial=LEAST)
        return np.maximum(phrase, WORST), np.clip(lead, WORST, 0.0)
