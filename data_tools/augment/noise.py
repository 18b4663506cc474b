"""Noise at a signal-to-noise ratio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_tools.augment.ranges import Range, check_range, uniform
from data_tools.bounds import active_power
from wakeword.audio import Float32


def snr_gain(speech: Float32, noise: Float32, snr_db: float) -> np.float32:
    """The factor on ``noise`` that puts it ``snr_db`` under the speech.

    Speech counts with the power of its active frames, noise with its mean power. 1 where either
    is silent.
    """
    speech_power = active_power(speech)
    noise_power = float(np.mean(np.square(noise, dtype=np.float64))) if len(noise) else 0.0
    if speech_power <= 0 or noise_power <= 0:
        return np.float32(1.0)
    return np.float32(np.sqrt(speech_power / noise_power * 10 ** (-snr_db / 10)))


@dataclass(frozen=True)
class NoiseAtSnr:
    """A noise mixed under the speech at a drawn SNR."""

    snr_db: Range = (-4.0, 25.0)

    def __post_init__(self) -> None:
        check_range("snr_db", self.snr_db)

    def draw(self, rng: np.random.Generator) -> float:
        """SNR in dB."""
        return uniform(rng, self.snr_db)

    def apply(self, audio: Float32, snr_db: float, noise: Float32) -> Float32:
        """(n,) float32 speech plus (n,) float32 noise scaled to the SNR."""
        return audio + noise * snr_gain(audio, noise, snr_db)
