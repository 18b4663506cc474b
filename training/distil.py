"""Distillation: a network learns what several others say, besides the labels.

Networks that were trained apart err on different audio; their mean errs on less of it, and one
network can learn that mean (Hinton et al., arXiv 1503.02531).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from training.batches import Batch, Sampler
from training.material import Numbers
from wakeword.audio import Float32

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class DistilSpec:
    """Who teaches, and how much it counts."""

    teachers: tuple[str, ...] = ()  # recipes beside this one; they are trained first
    weight: float = 0.5  # of the teachers' mean in the target, against the label
    both_ears: bool = False  # fused with the phone head of network.backbone, as on the device

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise ValueError(f"distil.weight is {self.weight:g}; expected 0 to 1")


class Teacher(Protocol):
    """Whoever tells what a network should say."""

    def predict_on_batch(self, frames: Float32) -> Float32:
        """(n, n_frames, 40) float32 -> (n, n_steps, 1) float32 logits."""


class MeanTeacher:
    """Several networks as one, whose logit is their mean."""

    def __init__(self, networks: Sequence[keras.Model]):
        self._networks = networks

    def predict_on_batch(self, frames: Float32) -> Float32:
        """(n, n_frames, 40) float32 -> (n, n_steps, 1) float32 logits."""
        logits: Float32 = np.mean([n.predict_on_batch(frames) for n in self._networks], axis=0)
        return logits


class TaughtSampler:
    """A sampler whose targets lie between the labels and what the teacher says."""

    def __init__(self, sampler: Sampler, teacher: Teacher, weight: float):
        self._sampler, self._teacher, self._weight = sampler, teacher, weight

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
        said = 1 / (1 + np.exp(-self._teacher.predict_on_batch(batch.frames)))
        targets = (1 - self._weight) * batch.targets + self._weight * said
        return replace(batch, targets=targets.astype(np.float32))
