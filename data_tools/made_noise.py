"""Noise that needs no recording: coloured, modulated, mains hum, babble."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wakeword.audio import SAMPLE_RATE, Float32

KINDS = ("coloured", "modulated", "hum")


def unit_power(audio: Float32) -> Float32:
    """(n,) float32 at RMS one; silence stays silence."""
    rms = float(np.sqrt(np.mean(np.square(audio)))) if len(audio) else 0.0
    return audio * np.float32(1 / rms) if rms > 0 else audio


def coloured(n: int, slope_db: float, rng: np.random.Generator) -> Float32:
    """(n,) float32 noise at RMS one whose power changes by ``slope_db`` an octave.

    0 is white, -3 pink, -6 brown. Flat below 50 Hz.
    """
    import scipy.fft

    size = scipy.fft.next_fast_len(n, real=True)
    bins = size // 2 + 1
    noise = rng.standard_normal(2 * bins, dtype=np.float32).view(np.complex64)
    hz = np.maximum(np.arange(bins, dtype=np.float32) * np.float32(SAMPLE_RATE / size), 50)
    noise *= hz ** np.float32(slope_db / 6.02)
    noise[0] = 0
    return unit_power(np.asarray(scipy.fft.irfft(noise, size)[:n], np.float32))


def modulated(n: int, rng: np.random.Generator) -> Float32:
    """(n,) float32 coloured noise that swells and dies: wind, waves, traffic, machines."""
    noise = coloured(n, float(rng.uniform(-9, 1)), rng)
    rate_hz = float(np.exp(rng.uniform(np.log(0.1), np.log(12))))
    n_points = max(4, int(n / SAMPLE_RATE * rate_hz * 2) + 2)
    depth_db = rng.uniform(3, 25)
    points_db = rng.uniform(-depth_db, 0, n_points)
    at = np.linspace(0, n_points - 1, n // 160 + 2)
    slow = np.interp(at, np.arange(n_points), points_db)
    envelope = np.interp(np.arange(n) / 160, np.arange(len(slow)), 10 ** (slow / 20))
    return unit_power(noise * envelope.astype(np.float32))


def hum(n: int, rng: np.random.Generator) -> Float32:
    """(n,) float32 mains hum, 50 or 60 Hz with harmonics, over a little noise."""
    mains_hz = float(rng.choice([50.0, 60.0])) * float(rng.uniform(0.998, 1.002))
    harmonics = np.arange(1, int(rng.integers(4, 24)))
    gains = rng.uniform(0.1, 1, len(harmonics)) / harmonics ** rng.uniform(0.3, 1.5)
    phases = rng.uniform(0, 2 * np.pi, len(harmonics))
    period = np.arange(n, dtype=np.float64) * (2 * np.pi * mains_hz / SAMPLE_RATE)
    # sin(kx) through powers of e^(ix): one complex exponential for all harmonics
    turn = np.exp(1j * period).astype(np.complex64)
    sound = np.zeros(n, np.float32)
    power = np.ones(n, np.complex64)
    for gain, phase in zip(gains, phases, strict=True):
        power = power * turn
        sound += np.float32(gain) * (power * np.complex64(np.exp(1j * phase))).imag
    return unit_power(unit_power(sound) + np.float32(0.05) * coloured(n, -6, rng))


def babble(
    n: int,
    talkers: int,
    draw_speech: Callable[[int, np.random.Generator], Float32],
    rng: np.random.Generator,
) -> Float32:
    """(n,) float32 of ``talkers`` people at once; ``draw_speech(n, rng)`` gives each one."""
    total = np.zeros(n, np.float32)
    for _ in range(talkers):
        total += unit_power(draw_speech(n, rng)) * np.float32(10 ** (rng.uniform(-9, 0) / 20))
    return unit_power(total)


def any_noise(n: int, rng: np.random.Generator) -> Float32:
    """(n,) float32 of a drawn kind, RMS one."""
    kind = KINDS[int(rng.choice(len(KINDS), p=[0.5, 0.4, 0.1]))]
    if kind == "coloured":
        return coloured(n, float(rng.uniform(-9, 2)), rng)
    return modulated(n, rng) if kind == "modulated" else hum(n, rng)
