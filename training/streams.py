"""Long audio with known truth, for the detector to listen to: clips in silence or in noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from data_tools.bounds import speech_bounds
from data_tools.clip import Clip
from wakeword.audio import SAMPLE_RATE, Float32, Int16, read_file, to_float32, to_int16

LOUDEST_SAMPLES = 512  # 32 ms
NOISE_DBFS = -40.0
FLOOR_DBFS = -75.0  # of the hiss that stands for silence
BETWEEN_S = (1.5, 3.0)  # from the end of a clip to the next
STREAM_CLIPS = 50


@dataclass(frozen=True)
class Truth:
    """A wake phrase in a stream, in seconds from its start, and the clip that says it."""

    start_s: float
    end_s: float
    clip: Clip


@dataclass(frozen=True)
class Stream:
    """(n,) int16 audio and every wake phrase in it."""

    name: str
    audio: Int16
    truths: tuple[Truth, ...] = ()

    @property
    def hours(self) -> float:
        """Length."""
        return len(self.audio) / SAMPLE_RATE / 3600


def plain(clips: Iterable[Clip]) -> Iterator[Stream]:
    """Each clip as a stream of its own that nobody says the phrase in."""
    for clip in clips:
        yield Stream(clip.id, read_file(clip.path))


def spoken(
    clips: Sequence[Clip],
    noise: Sequence[Clip],
    snr_db: float | None,
    rng: np.random.Generator,
) -> Iterator[Stream]:
    """Streams of clips one after the other, seconds apart, over noise or (None) near silence.

    The signal-to-noise ratio follows the wake-word-benchmark rule: power of the loudest 32 ms of
    the clip over the loudest 32 ms of the noise under it.
    """
    order = rng.permutation(len(clips))
    sounds = [to_float32(read_file(clip.path)) for clip in noise] if snr_db is not None else []
    for number, first in enumerate(range(0, len(clips), STREAM_CLIPS)):
        chosen = [clips[i] for i in order[first : first + STREAM_CLIPS]]
        condition = "clean" if snr_db is None else f"{snr_db:g} dB"
        yield _stream(f"{condition} {number}", chosen, sounds, snr_db, rng)


def _stream(
    name: str,
    clips: Sequence[Clip],
    noise: Sequence[Float32],
    snr_db: float | None,
    rng: np.random.Generator,
) -> Stream:
    voices = [to_float32(read_file(clip.path)) for clip in clips]
    pauses = (rng.uniform(*BETWEEN_S, len(voices) + 1) * SAMPLE_RATE).astype(int)
    n = int(pauses.sum()) + sum(len(voice) for voice in voices)
    if snr_db is None:
        audio = rng.normal(size=n).astype(np.float32) * np.float32(10 ** (FLOOR_DBFS / 20))
    else:
        audio = _background(noise, n, rng)
    truths, at = [], int(pauses[0])
    for clip, voice, pause in zip(clips, voices, pauses[1:], strict=True):
        under = audio[at : at + len(voice)]
        if snr_db is not None:
            ratio = loudest_power(under) / max(loudest_power(voice), 1e-12)
            voice = voice * np.float32(np.sqrt(ratio * 10 ** (snr_db / 10)))
        start, end = speech_bounds(to_int16(voice)) or (0, len(voice))
        under += voice
        truths.append(Truth((at + start) / SAMPLE_RATE, (at + end) / SAMPLE_RATE, clip))
        at += len(voice) + int(pause)
    peak = float(np.abs(audio).max())
    return Stream(name, to_int16(audio / max(1.0, peak * 1.001)), tuple(truths))


def loudest_power(samples: Float32) -> float:
    """Mean square of the loudest 32 ms."""
    n = max(1, len(samples) // LOUDEST_SAMPLES)
    frames = np.resize(samples, n * LOUDEST_SAMPLES).reshape(n, LOUDEST_SAMPLES)
    return float(np.square(frames, dtype=np.float64).mean(axis=1).max(initial=0.0))


def _background(noise: Sequence[Float32], n: int, rng: np.random.Generator) -> Float32:
    """Noises in random order, each at the same level, cut or repeated to (n,) samples."""
    pieces: list[Float32] = []
    while sum(len(piece) for piece in pieces) < n:
        piece = noise[rng.integers(len(noise))][: 20 * SAMPLE_RATE]
        level = float(np.sqrt(np.mean(np.square(piece, dtype=np.float64)))) + 1e-9
        pieces.append(piece * np.float32(10 ** (NOISE_DBFS / 20) / level))
    return np.concatenate(pieces)[:n]
