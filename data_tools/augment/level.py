"""Gain, the level of a source over its distance, and of an utterance from syllable to syllable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_tools.augment.ranges import Range, check_range, log_uniform, uniform
from wakeword.audio import Float32

EMPHASIS_SAMPLES = 80  # 5 ms: between two exact gains


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


class Accent(NamedTuple):
    """How the level of an utterance goes: knots from its start to its end, evenly apart."""

    knots_db: tuple[float, ...]  # dB


@dataclass(frozen=True)
class Emphasis:
    """Some syllables louder than others, and a voice that drops towards the end of the phrase.

    Synthesizers stress evenly. People do not: a loud "smart" sets the front end's noise estimate
    and gain control so that a soft "mirror" after it all but vanishes.
    """

    fall_db: Range = (-2.0, 12.0)  # from the first knot to the last
    stress_db: float = 3.0  # standard deviation of a knot around the fall
    knots: int = 5

    def __post_init__(self) -> None:
        check_range("fall_db", self.fall_db)
        if self.knots < 2 or self.stress_db < 0:
            raise ValueError("emphasis needs two knots or more, and stress_db 0 or more")

    def draw(self, rng: np.random.Generator) -> Accent:
        """Level at the knots."""
        fall = np.linspace(0, -uniform(rng, self.fall_db), self.knots)
        return Accent(tuple((fall + self.stress_db * rng.standard_normal(self.knots)).tolist()))

    def apply(self, audio: Float32, accent: Accent) -> Float32:
        """(n,) float32 times a gain that goes from knot to knot, linear in dB."""
        knots_db = np.array(accent.knots_db)
        steps = np.arange(0, len(audio) + EMPHASIS_SAMPLES, EMPHASIS_SAMPLES)
        at = np.linspace(0, max(1, len(audio)), len(knots_db))
        gain = 10 ** (np.interp(steps, at, knots_db) / 20)
        return audio * np.interp(np.arange(len(audio)), steps, gain).astype(np.float32)
