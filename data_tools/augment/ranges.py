"""Ranges to draw from."""

from __future__ import annotations

import math

import numpy as np

Range = tuple[float, float]


def check_range(name: str, low_high: Range, at_least: float = -math.inf) -> None:
    """ValueError unless low <= high and low >= ``at_least``."""
    low, high = low_high
    if not at_least <= low <= high:
        raise ValueError(
            f"{name} = [{low}, {high}]; expected [low, high] with low <= high"
            + (f", low >= {at_least:g}" if at_least > -math.inf else "")
        )


def uniform(rng: np.random.Generator, low_high: Range) -> float:
    """Uniform, as for decibels and seconds."""
    return float(rng.uniform(*low_high))


def log_uniform(rng: np.random.Generator, low_high: Range) -> float:
    """Uniform in the logarithm, as for ratios and frequencies."""
    return math.exp(rng.uniform(math.log(low_high[0]), math.log(low_high[1])))
