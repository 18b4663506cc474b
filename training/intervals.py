"""95 % intervals of what was counted. No number leaves an evaluation without one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 4000


def proportion(events: int, trials: int) -> tuple[float, float]:
    """Clopper-Pearson interval (Biometrika 26, 1934) of a share, exact for any count."""
    from scipy.stats import beta

    tail = (1 - CONFIDENCE) / 2
    low = float(beta.ppf(tail, events, trials - events + 1)) if events else 0.0
    high = float(beta.ppf(1 - tail, events + 1, trials - events)) if events < trials else 1.0
    return low, high


def rate(events: int, hours: float) -> tuple[float, float]:
    """Poisson interval (Garwood, Biometrika 28, 1936) of events per hour.

    With no event at all it is one-sided: 0 to 3/hours.
    """
    from scipy.stats import chi2

    if not events:
        return 0.0, float(chi2.ppf(CONFIDENCE, 2)) / 2 / hours
    tail = (1 - CONFIDENCE) / 2
    low = float(chi2.ppf(tail, 2 * events)) / 2 / hours
    return low, float(chi2.ppf(1 - tail, 2 * events + 2)) / 2 / hours


def by_speaker(counts: Sequence[tuple[int, int]], seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap of a share, ``counts`` being (events, trials) of each speaker.

    Speakers are drawn with replacement (a cluster bootstrap: Davison and Hinkley 1997, 3.8). Events
    of one speaker come together, so this is wider than the interval over trials, and it is the one
    that says what other speakers may expect. One speaker alone tells nothing: 0 to 1.
    """
    if len(counts) < 2:
        return 0.0, 1.0
    table = np.asarray(counts, np.float64)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(table), size=(RESAMPLES, len(table)))
    events, trials = table[drawn].sum(axis=1).T
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(events / trials, [tail, 1 - tail])
    return float(low), float(high)


def share_by_speaker(counts: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """:func:`by_speaker`, and where no event or nothing else was seen, an honest end.

    Drawing speakers anew can't bring what none of them did, and would tell an interval of width
    zero. There each speaker is one trial (Clopper-Pearson).
    """
    low, high = by_speaker(counts)
    if len(counts) > 1 and low == high:
        if low == 0.0:
            high = proportion(0, len(counts))[1]
        elif low == 1.0:
            low = proportion(len(counts), len(counts))[0]
    return low, high
