"""The next batch, made while the network still learns from the last one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt

from training.batches import Batch


class Batches(Protocol):
    """Where batches come from: step n gives batch n, whatever came before it."""

    mined: npt.NDArray[np.int64]

    def batch(self, step: int) -> Batch:
        """The batch of an optimizer step."""


class Prefetch:
    """One thread that makes one batch ahead; where teachers speak, half of all work is in that."""

    def __init__(self, batches: Batches):
        self._batches = batches
        self._pool = ThreadPoolExecutor(1)
        self._ahead: tuple[int, Future[Batch]] | None = None

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(self, *raised: object) -> None:
        self._pool.shutdown()

    def begin(self, step: int) -> None:
        """Make the batch of ``step``; ``mined`` must not change before it is taken."""
        self._ahead = step, self._pool.submit(self._batches.batch, step)

    def take(self, step: int) -> Batch:
        """The batch of ``step``, begun or not; raises whatever making it raised."""
        ahead, self._ahead = self._ahead, None
        if ahead and ahead[0] == step:
            return ahead[1].result()
        return self._batches.batch(step)
