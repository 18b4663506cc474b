"""How fast a training goes, and whether the network ever waited for its input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Pace:
    """Examples per second since the last :meth:`take`, and the share of time spent learning."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was counted."""
        self._examples = 0
        self._waited_s = self._worked_s = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While the next batch is made."""
        start = perf_counter()
        yield
        self._waited_s += perf_counter() - start

    @contextmanager
    def working(self, examples: int) -> Iterator[None]:
        """While the network learns from so many examples."""
        start = perf_counter()
        yield
        self._worked_s += perf_counter() - start
        self._examples += examples

    @property
    def words(self) -> str:
        """For the progress bar."""
        total_s = self._waited_s + self._worked_s
        if not total_s:
            return ""
        return f"{self._examples / total_s:.0f} examples/s, {self._worked_s / total_s:.0%} learning"

    def take(self) -> dict[str, float]:
        """The numbers for metrics.jsonl, and a new beginning."""
        total_s = self._waited_s + self._worked_s or 1.0
        numbers = {
            "examples_per_s": round(self._examples / total_s, 1),
            "learning_share": round(self._worked_s / total_s, 3),
        }
        self.reset()
        return numbers
