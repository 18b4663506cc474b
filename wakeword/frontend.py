"""The front end: 16 kHz audio to 40 log-mel-like channels every 10 ms.

This is the TensorFlow Lite Micro audio front end (fixed point: 30 ms Hann window, 512-point FFT,
40 mel channels 125-7500 Hz, noise reduction, per-channel gain control, log), through
pymicro-features, with the settings of microWakeWord and ESPHome. Training, evaluation and every
firmware target use exactly these numbers; there is no other feature code in the project.

Source of the gain control: Wang et al., "Trainable Frontend for Robust and Far-Field Keyword
Spotting", arXiv 1607.05666 (PCAN is its fixed-point form).
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from wakeword.audio import HOP_SAMPLES, Float32, Int16

Int8 = npt.NDArray[np.int8]

N_CHANNELS = 40
WINDOW_MS = 30
HOP_MS = 10
RAW_PER_UNIT = 25.6  # the library hands out raw uint16 / 25.6
RAW_MAX = 670  # above the loudest raw value that the settings give, about 26 after the division

# What a bundle was trained with and a device must run. Its hash stands in every bundle.
SETTINGS: dict[str, int | float | str] = {
    "name": "tflm_micro_frontend",
    "sample_rate_hz": 16_000,
    "window_ms": WINDOW_MS,
    "hop_ms": HOP_MS,
    "channels": N_CHANNELS,
    "lower_hz": 125.0,
    "upper_hz": 7500.0,
    "noise_smoothing_bits": 10,
    "noise_even_smoothing": 0.025,
    "noise_odd_smoothing": 0.06,
    "noise_min_signal_remaining": 0.05,
    "pcan_strength": 0.95,
    "pcan_offset": 80.0,
    "pcan_gain_bits": 21,
    "log_scale_shift": 6,
}

# A table, because this runs every 30 ms: a third of the time that the formula takes.
_INPUT_OF_RAW: Int8 = np.minimum((np.arange(RAW_MAX + 1) * 256 + 333) // 666 - 128, 127).astype(
    np.int8
)

# A hundred-thousandth more than there is: whole raw values, which are all that the library hands
# out, then come back whole when the fraction is cut off, which is cheaper than rounding.
_RAW_PER_UNIT = np.float32(RAW_PER_UNIT * (1 + 1e-5))

_FRAME = struct.Struct(f"{N_CHANNELS}f")


class FrontEnd:
    """Audio blocks of any size in, frames out; all state in here.

    The first frame after a reset comes with the 480th sample, then one every 160.
    """

    def __init__(self) -> None:
        # The compiled half of pymicro-features. Its Python half makes an object of each hop, which
        # is a twentieth of the time.
        import micro_features_cpp

        self._library = micro_features_cpp
        self._state = micro_features_cpp.create_frontend()
        self._rest = b""

    def reset(self) -> None:
        """As new: no audio held, no noise estimate, no gain history."""
        self._library.reset_frontend(self._state)
        self._rest = b""

    def push(self, samples: Int16) -> Float32:
        """(n,) int16 -> (n_frames, 40) float32 in 0..26, a frame every 10 ms; n may be anything."""
        data = self._rest + samples.tobytes()
        hop_bytes = 2 * HOP_SAMPLES  # the library takes exactly one hop a call and ignores more
        process, state, pack = self._library.process_samples, self._state, _FRAME.pack
        frames = []
        used = 0
        for used in range(hop_bytes, len(data) + 1, hop_bytes):
            features, _ = process(state, data[used - hop_bytes : used])
            if features:
                frames.append(pack(*features))  # a third of the time of np.array(lists)
        self._rest = data[used:]
        return np.frombuffer(bytearray().join(frames), np.float32).reshape(-1, N_CHANNELS)


def quantize(frames: Float32) -> Int8:
    """Frames as the int8 network input, same shape.

    ESPHome's integer formula on the raw value, ``(256 raw + 333) / 666 - 128``, saturated; equal to
    the TFLite quantization of an input calibrated to 0..25.9146.
    """
    raw = (frames * _RAW_PER_UNIT).astype(np.intp)
    return _INPUT_OF_RAW.take(raw, mode="clip")


def dequantize(frames: Int8) -> Float32:
    """The float value that the network sees for an int8 input, same shape."""
    return (frames.astype(np.float32) + 128) * np.float32(666 / (256 * RAW_PER_UNIT))
