"""How far a search is: a line on standard error for every trial that has ended."""

from __future__ import annotations

import sys
import time
from typing import Any

from ray.tune import Callback


class TrialsDone(Callback):  # type: ignore[misc]
    """Told by Ray Tune; it travels to disk with the search, so it holds nothing but numbers."""

    def __init__(self, trials: int, metric: str):
        self.trials, self.metric = trials, metric
        self.done = 0
        self.working_s = 0.0
        self._since_s = time.monotonic()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial has come to its end, or was stopped."""
        told = trial.last_result
        self._tell(trial, f"{self.metric} {told[self.metric]:.4f} at step {told['step']}")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial has failed for good."""
        self._tell(trial, "failed")

    def _tell(self, trial: Any, words: str) -> None:
        self.done += 1
        now_s = time.monotonic()
        self.working_s += now_s - self._since_s
        self._since_s = now_s
        left_min = self.working_s / self.done * (self.trials - self.done) / 60
        print(
            f"trial {trial.config['trial']}: {words}; {self.done} of {self.trials} done, "
            f"about {left_min:.0f} min left",
            file=sys.stderr,
        )
