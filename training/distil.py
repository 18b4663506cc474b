"""Distillation: a network learns what several others say, besides the labels.

Networks that were trained apart err on different audio; their mean errs on less of it, and one
network can learn that mean (Hinton et al., arXiv 1503.02531).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from training.batches import Batch, Sampler
from training.material import Numbers

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class DistilSpec:
    """Who teaches, and how much it counts."""

    teachers: tuple[str, ...] = ()  # recipes beside this one; they are trained first
    weight: float = 0.5  # of the teachers' mean in the target, against the label

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise ValueError(f"distil.weight is {self.weight:g}; expected 0 to 1")


class TaughtSampler:
    """A sampler whose targets lie between the labels and what the teachers say."""

    def __init__(self, sampler: Sampler, teachers: Sequence[keras.Model], weight: float):
        self._sampler, self._teachers, self._weight = sampler, teachers, weight

    @property
    def mined(self) -> Numbers:
        """Frames of the material at which the student fires falsely."""
        return self._sampler.mined

    @mined.setter
    def mined(self, frames: Numbers) -> None:
        self._sampler.mined = frames

    def batch(self, step: int) -> Batch:
        """The batch of an optimizer step."""
        batch = self._sampler.batch(step)
        logits = np.mean([t.predict_on_batch(batch.frames) for t in self._teachers], axis=0)
        said = 1 / (1 + np.exp(-logits))
        targets = (1 - self._weight) * batch.targets + self._weight * said
        return replace(batch, targets=targets.astype(np.float32))
