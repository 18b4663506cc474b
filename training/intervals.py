"""95 % intervals of what was counted. No number leaves an evaluation without one."""

from __future__ import annotations

CONFIDENCE = 0.95


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
