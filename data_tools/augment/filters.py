"""Microphones and lines: a smooth equaliser and a band limit, both of zero phase."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from data_tools.augment.convolution import convolve
from data_tools.augment.ranges import Range, check_range, log_uniform
from wakeword.audio import SAMPLE_RATE, Float32

TAPS = 1024
KNOTS_HZ = np.array([60, 125, 250, 500, 1000, 2000, 4000, 8000], np.float64)  # octaves


def filter_gain(audio: Float32, knots_hz: np.ndarray, gains_db: np.ndarray) -> Float32:
    """(n,) float32 through a zero-phase filter, its gain linear in dB over log frequency.

    A symmetric response of 64 ms: curves of an octave from 60 Hz on need no longer one.
    """
    log_hz, window = _tables()
    curve_db = np.interp(log_hz, np.log(knots_hz), gains_db)
    response = np.roll(np.fft.irfft(10 ** (curve_db / 20)), TAPS // 2) * window
    return convolve(audio, response.astype(np.float32))[TAPS // 2 :][: len(audio)]


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of each bin's frequency, from 20 Hz on, and the window over the response."""
    hz = np.linspace(0, SAMPLE_RATE / 2, TAPS // 2 + 1)
    return np.log(np.maximum(hz, 20)), np.hanning(TAPS + 1)[:-1]


@dataclass(frozen=True)
class Equaliser:
    """A random smooth response, octave by octave."""

    gain_db: Range = (-8.0, 8.0)

    def __post_init__(self) -> None:
        check_range("gain_db", self.gain_db)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """(8,) gains in dB at 60 Hz .. 8 kHz, their mean zero."""
        gains = rng.uniform(*self.gain_db, len(KNOTS_HZ))
        return np.asarray(gains - gains.mean())

    def apply(self, audio: Float32, gains_db: np.ndarray) -> Float32:
        """(n,) float32, filtered."""
        return filter_gain(audio, KNOTS_HZ, gains_db)


@dataclass(frozen=True)
class BandLimit:
    """A small loudspeaker, a telephone line: nothing below and above, 24 dB an octave."""

    low_hz: Range = (80.0, 400.0)
    high_hz: Range = (3000.0, 7500.0)
    slope_db: float = 24.0  # per octave

    def __post_init__(self) -> None:
        check_range("low_hz", self.low_hz, at_least=20)
        check_range("high_hz", self.high_hz, at_least=500)

    def draw(self, rng: np.random.Generator) -> tuple[float, float]:
        """The two corners in Hz."""
        return log_uniform(rng, self.low_hz), log_uniform(rng, self.high_hz)

    def apply(self, audio: Float32, corners_hz: tuple[float, float]) -> Float32:
        """(n,) float32, limited to the band."""
        low_hz, high_hz = corners_hz
        down = self.slope_db * 3  # three octaves out
        knots = np.array([low_hz / 8, low_hz, high_hz, high_hz * 8])
        return filter_gain(audio, knots, np.array([-down, 0, 0, -down]))
