"""Which 100 ms and which band decided: what the score does when a piece of the sound is taken away.

Occlusion (Zeiler and Fergus, arXiv 1311.2901) on the sound itself, through the device's detector:
so it explains the bundle as it is shipped, whatever is inside, and needs no gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wakeword.audio import SAMPLE_RATE, Int16, to_float32, to_int16
from wakeword.bundle import Bundle
from wakeword.detector import Detector

BLOCK_S = 0.1
BANDS_HZ = (0, 400, 800, 1400, 2300, 3800, 8000)
REMOVED = 0.01  # -40 dB: what is taken away leaves no click and no hole in the front end's gain
FFT_SAMPLES, HOP_SAMPLES = 512, 128
LEAST = 1 / 512  # half of the finest step of a probability


@dataclass(frozen=True)
class Occlusion:
    """How much the score owes to each piece."""

    times_s: npt.NDArray[np.float64]  # (n_blocks + 1,) edges, from the start of the audio
    effect: npt.NDArray[np.float64]  # (n_bands, n_blocks) logits lost when the piece is removed
    score: float  # with nothing removed

    def strongest(self) -> tuple[float, float, int, int]:
        """Start and end in seconds, and the band in Hz, of the piece that counts most."""
        band, block = np.unravel_index(int(np.argmax(self.effect)), self.effect.shape)
        return (
            float(self.times_s[block]),
            float(self.times_s[block + 1]),
            BANDS_HZ[band],
            BANDS_HZ[band + 1],
        )


def explain(bundle: Bundle, audio: Int16, start_s: float, end_s: float) -> Occlusion:
    """Occlude the pieces of (n,) int16 between two times; the score is the highest after the first.

    Positive: without the piece the score is lower, so it speaks for the phrase. Negative: it speaks
    against it.
    """
    import scipy.signal

    window = {"nperseg": FFT_SAMPLES, "noverlap": FFT_SAMPLES - HOP_SAMPLES}
    hertz, seconds, spectrum = scipy.signal.stft(to_float32(audio), SAMPLE_RATE, **window)
    times_s = np.arange(start_s, end_s + BLOCK_S / 2, BLOCK_S)
    scores: list[float] = []
    detector = Detector([bundle], gate=False, trace=lambda _u, _b, score: scores.append(score))

    def logit(samples: Int16) -> float:
        detector.reset()
        scores.clear()
        detector.push(samples)
        first = int(start_s / 0.03)
        highest = min(max(max(scores[first:], default=0.0), LEAST), 1 - LEAST)
        return float(np.log(highest / (1 - highest)))

    # Through the same transform and back, so that only the removal makes a difference.
    _, whole = scipy.signal.istft(spectrum, SAMPLE_RATE, **window)
    base = logit(to_int16(whole))
    effect = np.zeros((len(BANDS_HZ) - 1, len(times_s) - 1))
    for block in range(effect.shape[1]):
        columns = (seconds >= times_s[block]) & (seconds < times_s[block + 1])
        for band in range(effect.shape[0]):
            rows = (hertz >= BANDS_HZ[band]) & (hertz < BANDS_HZ[band + 1])
            without = spectrum.copy()
            without[np.ix_(rows, columns)] *= REMOVED
            _, samples = scipy.signal.istft(without, SAMPLE_RATE, **window)
            effect[band, block] = base - logit(to_int16(samples))
    return Occlusion(times_s, effect, float(1 / (1 + np.exp(-base))))
