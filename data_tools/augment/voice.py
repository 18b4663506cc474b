"""Other voices from one: pitch, formants and tempo, each by its own factor.

Speed moves all three together; a spectral-envelope warp moves the formants alone; overlap-add
moves the tempo alone. In this order they reach every combination.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_tools.augment.ranges import Range, check_range, log_uniform
from wakeword.audio import SAMPLE_RATE, Float32

FFT_SAMPLES = 512
HOP_SAMPLES = 128
ENVELOPE_CEPSTRA = 24  # finer than formants, coarser than the harmonics of a 300 Hz voice
PIECE_SAMPLES = 640  # 40 ms
OVERLAP_SAMPLES = 160  # 10 ms, faded over
SEEK_SAMPLES = 160  # +-10 ms, a period of a 100 Hz voice


class Voice(NamedTuple):
    """Factors on the voice: 1.2 is 20 % higher, shorter-tracted, faster."""

    pitch: float
    formant: float
    tempo: float


@dataclass(frozen=True)
class VoiceWarp:
    """A voice of another pitch, vocal tract and tempo."""

    pitch: Range = (0.8, 1.35)
    formant: Range = (0.87, 1.2)
    tempo: Range = (0.7, 1.4)

    def __post_init__(self) -> None:
        for name in ("pitch", "formant", "tempo"):
            check_range(name, getattr(self, name), at_least=0.25)

    def draw(self, rng: np.random.Generator) -> Voice:
        """The factors; a high voice tends to a short tract, as in people."""
        pitch = log_uniform(rng, self.pitch)
        formant = log_uniform(rng, self.formant)
        if (pitch > 1) != (formant > 1) and rng.random() < 0.5:
            formant = float(np.clip(1 / formant, *self.formant))
        return Voice(pitch, formant, log_uniform(rng, self.tempo))

    def apply(self, audio: Float32, voice: Voice) -> Float32:
        """(n,) float32 -> (about n / tempo,) float32."""
        audio = resample_speed(audio, voice.pitch)
        audio = warp_formants(audio, voice.formant / voice.pitch)
        return stretch_tempo(audio, voice.tempo / voice.pitch)


def resample_speed(audio: Float32, factor: float) -> Float32:
    """Play (n,) float32 faster by ``factor``: pitch, formants and tempo together."""
    if abs(factor - 1) < 0.005:
        return audio
    import soxr

    rate = round(SAMPLE_RATE / factor)
    return np.asarray(soxr.resample(audio, SAMPLE_RATE, rate, quality="MQ"), np.float32)


def warp_formants(audio: Float32, factor: float) -> Float32:
    """Move the spectral envelope of (n,) float32 up by ``factor``; pitch and timing stay.

    Each frame's cepstrally smoothed envelope is divided out and put back stretched.
    """
    if abs(factor - 1) < 0.005 or len(audio) < FFT_SAMPLES:
        return audio
    import scipy.fft

    window = np.sqrt(np.hanning(FFT_SAMPLES + 1)[:-1]).astype(np.float32)
    n_frames = 1 + -(-len(audio) // HOP_SAMPLES) + FFT_SAMPLES // HOP_SAMPLES
    padded = np.zeros((n_frames - 1) * HOP_SAMPLES + FFT_SAMPLES, np.float32)
    padded[FFT_SAMPLES - HOP_SAMPLES :][: len(audio)] = audio
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES]
    spectra = scipy.fft.rfft(frames * window, axis=1)
    log_magnitude = np.log(np.abs(spectra) + np.float32(1e-7))
    cepstra = scipy.fft.dct(log_magnitude, axis=1, norm="ortho")
    cepstra[:, ENVELOPE_CEPSTRA:] = 0
    envelope = scipy.fft.idct(cepstra, axis=1, norm="ortho")
    n_bins = envelope.shape[1]
    source = np.minimum(np.arange(n_bins, dtype=np.float32) / np.float32(factor), n_bins - 1)
    below = np.minimum(source.astype(np.int64), n_bins - 2)
    share = source - below.astype(np.float32)
    warped = envelope[:, below] * (1 - share) + envelope[:, below + 1] * share
    gain = np.exp(np.clip(warped - envelope, -3, 3)).astype(np.float32)  # +-26 dB
    frames = scipy.fft.irfft(spectra * gain, axis=1).astype(np.float32) * window
    return _overlap_add(frames, HOP_SAMPLES)[FFT_SAMPLES - HOP_SAMPLES :][: len(audio)] / 2


def stretch_tempo(audio: Float32, factor: float) -> Float32:
    """Say (n,) float32 faster by ``factor`` at the same pitch: (about n / factor,) float32.

    Waveform-similarity overlap-add (Verhelst and Roelands 1993): 40 ms pieces, each taken where it
    best goes on from the one before and faded in over 10 ms.
    """
    overlap, hop = OVERLAP_SAMPLES, PIECE_SAMPLES
    if abs(factor - 1) < 0.005 or len(audio) < 2 * hop:
        return audio
    n_pieces = max(2, round(len(audio) / factor / hop))
    padded = np.pad(audio, (SEEK_SAMPLES, SEEK_SAMPLES + 2 * hop))
    fade_in = (0.5 - 0.5 * np.cos(np.pi * (np.arange(overlap) + 0.5) / overlap)).astype(np.float32)
    fade_out = 1 - fade_in
    power_until = np.concatenate([[0.0], np.cumsum(np.square(padded, dtype=np.float64))])
    energy = power_until[overlap:] - power_until[:-overlap]
    per_energy = (1 / np.sqrt(energy + 1e-9)).astype(np.float32)
    # Where each piece may be taken at the earliest, around where it ideally lies.
    ideal = SEEK_SAMPLES + np.rint(np.arange(1, n_pieces) * hop * factor).astype(np.int64)
    firsts = np.minimum(ideal, len(padded) - SEEK_SAMPLES - 2 * hop) - SEEK_SAMPLES
    places = [SEEK_SAMPLES]
    for first in firsts.tolist():
        at = places[-1] + hop
        goes_on = padded[at : at + overlap]  # what naturally follows
        last = first + 2 * SEEK_SAMPLES
        likeness = np.correlate(padded[first : last + overlap], goes_on, mode="valid")
        likeness *= per_energy[first : last + 1]
        places.append(first + int(likeness.argmax()))
    # Each piece with what would follow it; all are faded at once.
    pieces = np.lib.stride_tricks.sliding_window_view(padded, hop + overlap)[places]
    output = pieces[:, :hop].copy()
    output[1:, :overlap] = pieces[:-1, hop:] * fade_out + output[1:, :overlap] * fade_in
    return output.reshape(-1)


def _overlap_add(frames: Float32, hop: int) -> Float32:
    """Sum (n_frames, width) float32 frames, each ``hop`` later than the one before."""
    n_frames, width = frames.shape
    parts = width // hop
    output = np.zeros((n_frames + parts - 1, hop), np.float32)
    split = frames.reshape(n_frames, parts, hop)
    for part in range(parts):
        output[part : part + n_frames] += split[:, part]
    return output.reshape(-1)
