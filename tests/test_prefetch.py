"""The next batch is the same, made ahead or not; what goes wrong with it is told when it is taken."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from test_batches import material

from training.batches import Batch, BatchSpec, Sampler
from training.prefetch import Prefetch


def test_a_batch_made_ahead_is_the_batch_of_its_step() -> None:
    sampler = Sampler(material(), BatchSpec(size=8, frames=120), 3, seed=1)
    with Prefetch(sampler) as ahead:
        for step in range(3):
            batch = ahead.take(step)
            ahead.begin(step + 1)
            np.testing.assert_array_equal(batch.frames, sampler.batch(step).frames)
        ahead.take(3)
        # Begun for another step, as after a checkpoint was loaded: not given for this one.
        ahead.begin(4)
        np.testing.assert_array_equal(ahead.take(9).frames, sampler.batch(9).frames)


class Slow:
    """Batches that can't be made before the learner has come to its own work."""

    mined = np.empty(0, np.int64)
    learning = threading.Event()

    def batch(self, step: int) -> Batch:
        if step == 0:
            raise RuntimeError("no batch 0")
        assert self.learning.wait(10), "the learner waited for the batch"
        return Batch(np.zeros((1, 3, 40), np.float32), np.zeros((1, 1, 1), np.float32), None)


def test_the_learner_does_not_wait_and_hears_of_failures() -> None:
    with Prefetch(Slow()) as ahead:
        ahead.begin(1)
        Slow.learning.set()
        assert ahead.take(1).frames.shape == (1, 3, 40)
        ahead.begin(0)
        with pytest.raises(RuntimeError, match="no batch 0"):
            ahead.take(0)
