"""Gain, and the level of a source over its distance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from data_tools.augment.ranges import Range, check_range, log_uniform, uniform
from wakeword.audio import Float32


def db_to_gain(db: float) -> np.float32:
    """Decibels to an amplitude factor."""
    return np.float32(10.0 ** (db / 20))


@dataclass(frozen=True)
class Gain:
    """Louder or quieter."""

    gain_db: Range = (-6.0, 6.0)

    def __post_init__(self) -> None:
        check_range("gain_db", self.gain_db)

    def draw(self, rng: np.random.Generator) -> float:
        """Gain in dB."""
        return uniform(rng, self.gain_db)

    def apply(self, audio: Float32, gain_db: float) -> Float32:
        """(n,) float32 times the gain; may pass full scale."""
        return audio * db_to_gain(gain_db)


@dataclass(frozen=True)
class Distance:
    """Free-field level: 6 dB less for each doubling of the distance from ``near_m``."""

    distance_m: Range = (0.3, 5.0)
    near_m: float = 0.3

    def __post_init__(self) -> None:
        check_range("distance_m", self.distance_m, at_least=0.01)

    def draw(self, rng: np.random.Generator) -> float:
        """Distance in metres."""
        return log_uniform(rng, self.distance_m)

    def apply(self, audio: Float32, distance_m: float) -> Float32:
        """(n,) float32 as it arrives from ``distance_m``."""
        return audio * db_to_gain(-self.loss_db(distance_m))

    def loss_db(self, distance_m: float) -> float:
        """By how much it is quieter than from ``near_m``."""
        return 20 * math.log10(distance_m / self.near_m)
