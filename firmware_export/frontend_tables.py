"""The constant tables of the micro front end, computed from the front end's settings.

Each formula is the one of TensorFlow Lite Micro's `microfrontend` library (window_util,
filterbank_util, noise_reduction_util, pcan_gain_control_util, log_lut; Apache-2.0) and of
KISS FFT's 16-bit fixed point (BSD-3-Clause), with the same float32 and float64 steps, because a
table that is off by one would give frames that are off by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wakeword.frontend import SETTINGS

FFT_SIZE = 512  # the smallest power of two that holds a 480-sample window
WINDOW_BITS = 12
FILTER_BITS = 12
NOISE_BITS = 14
SNR_BITS = 12
LOG_SEGMENTS = 128
LOGE_2 = 45426  # ln 2, Q16

Int16 = npt.NDArray[np.int16]
Float32 = npt.NDArray[np.float32]

# The library computes its tables in float32 with the C library's log1pf, which is one unit in the
# last place off where these two FFT bins round; here log1p is rounded correctly.
_LOG1PF_OFF = {149: 1, 221: 1}


@dataclass(frozen=True)
class Filterbank:
    """Triangles on the mel scale, each given by its rising side; the falling side is 1 - weight."""

    first_bin: int  # FFT bin of the first weight
    widths: npt.NDArray[np.uint8]  # (n_channels + 1,) bins in each rise
    weights: Int16  # (sum of widths,) Q12
    unweights: Int16  # (sum of widths,) Q12


def setting(name: str) -> float:
    """A numeric front-end setting."""
    return float(SETTINGS[name])


def window() -> Int16:
    """(480,) Hann window, Q12."""
    size = int(setting("window_ms") * setting("sample_rate_hz") / 1000)
    angle = np.float32(2 * np.pi / size) * (np.arange(size, dtype=np.float32) + np.float32(0.5))
    cosine = np.cos(angle.astype(np.float64)).astype(np.float32)
    return _rounded((np.float32(0.5) - np.float32(0.5) * cosine) * np.float32(1 << WINDOW_BITS))


def _cexp(phase: npt.NDArray[np.float64]) -> Int16:
    """(n, 2) real and imaginary parts of exp(i phase), Q15."""
    parts = np.stack([np.cos(phase), np.sin(phase)], axis=-1)
    return np.floor(0.5 + 32767 * parts).astype(np.int16)


def twiddles() -> Int16:
    """(192, 2) Q15: the factors of the 256-point complex FFT that radix-4 butterflies touch."""
    n = FFT_SIZE // 2
    return _cexp(-2 * np.pi * np.arange(n * 3 // 4) / n)


def real_twiddles() -> Int16:
    """(128, 2) Q15: the factors that make a real 512-point spectrum of the complex one."""
    n = FFT_SIZE // 2
    return _cexp(-np.pi * ((np.arange(n // 2) + 1) / n + 0.5))


def fft_order() -> npt.NDArray[np.uint8]:
    """(256,): where pair k of the window goes, its base-4 digits reversed (decimation in time)."""
    k = np.arange(FFT_SIZE // 2)
    return ((k & 3) << 6 | (k & 12) << 2 | (k & 48) >> 2 | k >> 6).astype(np.uint8)


def root_table() -> npt.NDArray[np.uint8]:
    """(192,): the whole part of the root of 256 n, for n from 64 to 255."""
    return np.floor(np.sqrt(256.0 * np.arange(64, 256))).astype(np.uint8)


def filterbank() -> Filterbank:
    """40 overlapping triangles between the lower and the upper limit, and the first one's rise."""
    n = int(setting("channels")) + 1
    low, high = (_mel(_f32(f"{end}_hz")) for end in ("lower", "upper"))
    spacing = (high - low) / np.float32(n)
    centres = low + spacing * np.arange(1, n + 1, dtype=np.float32)
    hz_per_bin = _f32("sample_rate_hz") / np.float32(FFT_SIZE)
    mels = _mel(np.arange(FFT_SIZE // 2 + 1, dtype=np.float32) * hz_per_bin)
    first = int(1.5 + setting("lower_hz") / hz_per_bin)  # never the constant part
    edges = np.searchsorted(mels, centres, side="right")  # first bin above each centre
    starts = np.concatenate([[first], edges[:-1]])
    below = np.concatenate([[low], centres[:-1]])
    channel = np.repeat(np.arange(n), edges - starts)
    bins = np.arange(first, edges[-1])
    weight = (centres[channel] - mels[bins]) / (centres - below)[channel]
    one = np.float32(1 << FILTER_BITS)
    weights, unweights = _rounded(weight * one), _rounded((np.float32(1) - weight) * one)
    for fft_bin, off in _LOG1PF_OFF.items():
        weights[fft_bin - first] += off
        unweights[fft_bin - first] -= off
    return Filterbank(first, (edges - starts).astype(np.uint8), weights, unweights)


def noise_factors() -> dict[str, int]:
    """Q14 smoothing of even and odd channels, and the part of the signal that always remains."""
    names = ("noise_even_smoothing", "noise_odd_smoothing", "noise_min_signal_remaining")
    return {n: int(np.float32(setting(n)) * np.float32(1 << NOISE_BITS)) for n in names}


def gain_table() -> Int16:
    """(125,) PCAN gain: two values, then value, slope and curve of each octave of the noise."""
    input_bits = int(setting("noise_smoothing_bits")) - correction_bits()

    def gain(x: int) -> int:
        level = np.float32(x) / np.float32(1 << input_bits) + np.float32(setting("pcan_offset"))
        power = np.float32(np.power(np.float64(level), -np.float64(_f32("pcan_strength"))))
        value = np.float32(1 << int(setting("pcan_gain_bits"))) * power
        return 32767 if value > 32767 else int(value + np.float32(0.5))

    table = np.zeros(4 * 32 - 3, np.int16)
    table[:2] = gain(0), gain(1)
    for octave in range(2, 33):
        x0 = 1 << (octave - 1)
        x2 = 2 * x0 - 1 if octave == 32 else 2 * x0
        y0, y1, y2 = gain(x0), gain(x0 + x0 // 2), gain(x2)
        slope = 4 * (y1 - y0) - (y2 - y0)
        table[4 * octave - 6 : 4 * octave - 3] = y0, slope, (y2 - y0) - slope
    return table


def log_table() -> npt.NDArray[np.uint16]:
    """(129,) Q16: log2(1 + x) - x at 128 steps of x."""
    x = np.arange(LOG_SEGMENTS + 1) / LOG_SEGMENTS
    return np.rint((np.log2(1 + x) - x) * 65536).astype(np.uint16)


def correction_bits() -> int:
    """Bits by which the filter bank's square roots lie under the audio's scale."""
    return (FFT_SIZE.bit_length() - 1) - FILTER_BITS // 2


def snr_shift() -> int:
    """Right shift of signal times gain."""
    return int(setting("pcan_gain_bits")) - correction_bits() - SNR_BITS


def _f32(name: str) -> np.float32:
    return np.float32(setting(name))


def _mel(hz: Float32 | np.float32) -> Float32:
    exact = np.log1p(np.float64(1) * (hz / np.float32(700)))
    return np.float32(1127) * exact.astype(np.float32)


def _rounded(values: Float32) -> Int16:
    return np.floor(values + np.float32(0.5)).astype(np.int16)
