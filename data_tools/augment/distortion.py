"""What cheap electronics do: clipping, self-noise, telephone and Bluetooth codecs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_tools.augment.level import db_to_gain
from data_tools.augment.ranges import Range, check_range, uniform
from wakeword.audio import Float32


@dataclass(frozen=True)
class Clipping:
    """The peaks cut off, as by a microphone gain that is set too high."""

    overdrive_db: Range = (1.0, 12.0)  # how far the peak stands over the limit

    def __post_init__(self) -> None:
        check_range("overdrive_db", self.overdrive_db, at_least=0)

    def draw(self, rng: np.random.Generator) -> float:
        """Overdrive in dB."""
        return uniform(rng, self.overdrive_db)

    def apply(self, audio: Float32, overdrive_db: float) -> Float32:
        """(n,) float32 limited at its own peak less the overdrive."""
        limit = np.max(np.abs(audio), initial=0.0) * db_to_gain(-overdrive_db)
        return np.clip(audio, -limit, limit)


@dataclass(frozen=True)
class SelfNoise:
    """A microphone's own hiss: white noise."""

    level_dbfs: Range = (-90.0, -60.0)

    def __post_init__(self) -> None:
        check_range("level_dbfs", self.level_dbfs)

    def draw(self, rng: np.random.Generator) -> tuple[float, int]:
        """RMS level in dBFS and the seed of the noise."""
        return uniform(rng, self.level_dbfs), int(rng.integers(2**63))

    def apply(self, audio: Float32, drawn: tuple[float, int]) -> Float32:
        """(n,) float32 plus noise."""
        level_dbfs, seed = drawn
        noise = hiss(len(audio), seed, db_to_gain(level_dbfs))
        noise += audio
        return noise


def hiss(n: int, seed: int, rms: np.float32) -> Float32:
    """(n,) float32 white noise: the sum of four uniform bytes a sample.

    Near enough to normal (nothing over 3.5 sigma), and a third of the time of drawing it.
    """
    raw = np.random.default_rng(seed).bit_generator.random_raw(-(-n // 2)).view(np.uint16)
    pairs = (raw & 255) + (raw >> 8)
    total = (pairs[::2] + pairs[1::2])[:n].astype(np.float32)
    total -= np.float32(4 * 127.5)
    total *= rms / np.float32(np.sqrt(4 * (256**2 - 1) / 12))
    return total


@dataclass(frozen=True)
class MuLaw:
    """A digital telephone line's logarithmic steps (ITU-T G.711), 4 to 8 bits."""

    bits: tuple[int, int] = (5, 8)

    def __post_init__(self) -> None:
        check_range("bits", self.bits, at_least=2)

    def draw(self, rng: np.random.Generator) -> int:
        """Bits a sample."""
        return int(rng.integers(self.bits[0], self.bits[1] + 1))

    def apply(self, audio: Float32, bits: int) -> Float32:
        """(n,) float32, rounded in the companded domain; over full scale is cut off."""
        audio = np.clip(audio, -1, 1)
        mu = np.float32(255.0)
        steps = np.float32(2 ** (bits - 1) - 1)
        companded = np.sign(audio) * np.log1p(mu * np.abs(audio)) / np.log1p(mu)
        step = np.round(companded * steps).astype(np.int16)
        levels = np.arange(-steps, steps + 1, dtype=np.float32) / steps  # few: expanded once each
        expanded = np.sign(levels) * np.expm1(np.abs(levels) * np.log1p(mu)) / mu
        return np.asarray(expanded.astype(np.float32)[step + int(steps)])
