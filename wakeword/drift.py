"""Distributions of level and score, and how far one has moved from another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wakeword.bundle import Bundle
from wakeword.errors import SpecError
from wakeword.spec import parse

LEVEL_STEP_DB = 3
LEVEL_BINS = 32  # -96..0 dBFS
SCORE_BINS = 20  # 0..1
PSI_MOVED = 0.25  # the usual reading: under 0.1 the same, over 0.25 another distribution
LEAST_COUNTS = 500  # of a histogram that is compared: fewer move by chance


@dataclass(frozen=True)
class Reference:
    """``reference`` of a bundle: what its own detector said to speech without the phrase that was
    kept aside in training.
    """

    level: tuple[int, ...]  # histogram of the level every 0.3 s, with the gate open
    score: tuple[int, ...]  # histogram of the score every 0.3 s, with the gate open
    hours: float

    def __post_init__(self) -> None:
        if (len(self.level), len(self.score)) != (LEVEL_BINS, SCORE_BINS):
            raise ValueError(
                f"level and score have {len(self.level)} and {len(self.score)} bins; "
                f"expected {LEVEL_BINS} and {SCORE_BINS}"
            )

    @classmethod
    def of(cls, bundles: Sequence[Bundle]) -> Reference | None:
        """The bundle's; None if it has none, or a damaged one, and for several bundles: their
        scores are counted together.
        """
        table = bundles[0].extension.reference
        if len(bundles) != 1 or table is None:
            return None
        try:
            return parse(cls, table, "reference")
        except SpecError:
            return None

    def drift(self, level: Sequence[int], score: Sequence[int]) -> dict[str, float]:
        """The stability index of each histogram that holds enough."""
        pairs = {"level": (self.level, level), "score": (self.score, score)}
        return {
            what: round(stability(before, now), 3)
            for what, (before, now) in pairs.items()
            if sum(now) >= LEAST_COUNTS
        }


def level_bin(level: float) -> int:
    """The bin of a level in dBFS."""
    return int(min(max((level + 96) // LEVEL_STEP_DB, 0), LEVEL_BINS - 1))


def score_bin(score: float) -> int:
    """The bin of a score."""
    return min(int(score * SCORE_BINS), SCORE_BINS - 1)


def stability(before: Sequence[int], now: Sequence[int]) -> float:
    """Population stability index of two histograms: sum of (q - p) ln(q / p); 0 for the same.

    Half a count is added to each bin, so that an empty one does not make it infinite.
    """
    p, q = np.asarray(before, float) + 0.5, np.asarray(now, float) + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))
