"""Long audio with known truth, for the detector to listen to: clips in silence, noise or a room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from data_tools.augment.level import db_to_gain
from data_tools.augment.room import RoomResponse
from data_tools.bounds import speech_bounds
from data_tools.clip import Clip
from wakeword.audio import SAMPLE_RATE, Float32, Int16, read_file, to_float32, to_int16

LOUDEST_SAMPLES = 512  # 32 ms
NOISE_DBFS = -40.0
NOISE_PIECE_S = 20  # of one noise, before the next one
FLOOR_DBFS = -75.0  # of the hiss that stands for silence
BETWEEN_S = (1.5, 3.0)  # from the end of a clip to the next
STREAM_CLIPS = 50
STREAM_S = 600.0  # a stream is ended after about this long

PHRASES, NEAR_MISSES, SPEECH = "phrases", "near misses", "speech"  # kinds of streams


@dataclass(frozen=True)
class Truth:
    """An utterance in a stream, in seconds from its start, and the clip that it comes from."""

    start_s: float
    end_s: float
    clip: Clip
    snr_db: float | None = None
    noise: str | None = None  # id of the clip that is under it


@dataclass(frozen=True)
class Stream:
    """(n,) int16 audio, every wake phrase in it (or near miss), and whatever else is said."""

    name: str
    audio: Int16
    truths: tuple[Truth, ...] = ()
    kind: str = SPEECH
    who: str = ""  # as in "people", "synthetic voices"
    condition: str = "clean"
    talk: tuple[Truth, ...] = ()  # speech in which nobody says the phrase

    @property
    def n_samples(self) -> int:
        """Length."""
        return len(self.audio)

    @property
    def hours(self) -> float:
        """Length."""
        return self.n_samples / SAMPLE_RATE / 3600


@dataclass(frozen=True)
class Condition:
    """How speech reaches the microphone."""

    name: str
    snr_db: float | None = None  # None: over near silence
    closeness_db: tuple[float, float] | None = None  # of the direct path; None: no room at all
    level_dbfs: float | None = None  # of the loudest 32 ms; None: as recorded


# The signal-to-noise ratio follows the wake-word-benchmark rule: power of the loudest 32 ms of the
# clip over the loudest 32 ms of the noise under it.
CONDITIONS = {
    condition.name: condition
    for condition in (
        Condition("clean"),
        Condition("10 dB", snr_db=10.0),
        Condition("5 dB", snr_db=5.0),
        Condition("room", closeness_db=(3.0, 12.0)),
        Condition("distance", closeness_db=(0.0, 0.0), level_dbfs=-40.0),
        Condition("quiet", level_dbfs=-45.0),
    )
}


@dataclass(frozen=True)
class Surroundings:
    """What speech is mixed with: noise recordings and tidy room responses."""

    noise: Sequence[Clip] = ()
    rooms: Sequence[Float32] = ()

    def allow(self, condition: Condition) -> bool:
        """Whether there is what the condition needs."""
        return (condition.snr_db is None or bool(self.noise)) and (
            condition.closeness_db is None or bool(self.rooms)
        )


def spoken(
    kind: str,
    who: str,
    clips: Sequence[Clip],
    condition: Condition,
    around: Surroundings,
    rng: np.random.Generator,
) -> Iterator[Stream]:
    """Streams of clips one after the other in random order, seconds apart, in one condition."""
    order = [clips[i] for i in rng.permutation(len(clips))]
    noise = (
        [(c.id, to_float32(read_file(c.path))) for c in around.noise] if condition.snr_db else []
    )
    for number, chosen in enumerate(_shares(order)):
        name = f"{who or kind}, {condition.name} {number}"
        placed = _place(chosen, condition, noise, around.rooms, rng)
        truths = {"talk" if kind == SPEECH else "truths": placed[1]}
        yield Stream(name, placed[0], kind=kind, who=who, condition=condition.name, **truths)


def _shares(clips: Sequence[Clip]) -> Iterator[list[Clip]]:
    """Clips for one stream after the other: at most STREAM_CLIPS, at most about STREAM_S."""
    chosen: list[Clip] = []
    length_s = 0.0
    for clip in clips:
        chosen.append(clip)
        length_s += (clip.duration_s or 2.0) + BETWEEN_S[1]
        if len(chosen) == STREAM_CLIPS or length_s > STREAM_S:
            yield chosen
            chosen, length_s = [], 0.0
    if chosen:
        yield chosen


def plain(clips: Iterable[Clip]) -> Iterator[Stream]:
    """Each clip as a stream of its own that nobody says the phrase in."""
    for clip in clips:
        yield Stream(clip.id, read_file(clip.path))


def _place(
    clips: Sequence[Clip],
    condition: Condition,
    noise: Sequence[tuple[str, Float32]],
    rooms: Sequence[Float32],
    rng: np.random.Generator,
) -> tuple[Int16, tuple[Truth, ...]]:
    """The audio of one stream, and where each clip is said in it."""
    voices = [_carried(to_float32(read_file(clip.path)), condition, rooms, rng) for clip in clips]
    pauses = (rng.uniform(*BETWEEN_S, len(voices) + 1) * SAMPLE_RATE).astype(int)
    n = int(pauses.sum()) + sum(len(voice) for voice in voices)
    if condition.snr_db is None:
        audio = rng.normal(size=n).astype(np.float32) * np.float32(db_to_gain(FLOOR_DBFS))
        places: list[tuple[int, str]] = []
    else:
        audio, places = _background(noise, n, rng)
    truths, at = [], int(pauses[0])
    for clip, voice, pause in zip(clips, voices, pauses[1:], strict=True):
        under = audio[at : at + len(voice)]
        start, end = speech_bounds(to_int16(voice)) or (0, len(voice))
        if condition.snr_db is not None:
            ratio = loudest_power(under) / max(loudest_power(voice), 1e-12)
            voice = voice * np.float32(np.sqrt(ratio) * db_to_gain(condition.snr_db))
        under += voice
        name = next((name for first, name in reversed(places) if first <= at + start), None)
        seconds = ((at + start) / SAMPLE_RATE, (at + end) / SAMPLE_RATE)
        truths.append(Truth(*seconds, clip, condition.snr_db, name))
        at += len(voice) + int(pause)
    peak = float(np.abs(audio).max())
    return to_int16(audio / max(1.0, peak * 1.001)), tuple(truths)


def _carried(
    voice: Float32, condition: Condition, rooms: Sequence[Float32], rng: np.random.Generator
) -> Float32:
    """(n,) float32 as it arrives at the microphone."""
    if condition.closeness_db is not None:
        room = RoomResponse(condition.closeness_db)
        voice = room.apply(voice, room.draw(rng, rooms), rooms)
    if condition.level_dbfs is not None:
        level = np.sqrt(max(loudest_power(voice), 1e-12))
        voice = voice * np.float32(db_to_gain(condition.level_dbfs) / level)
    return voice


def loudest_power(samples: Float32) -> float:
    """Mean square of the loudest 32 ms."""
    n = max(1, len(samples) // LOUDEST_SAMPLES)
    frames = np.resize(samples, n * LOUDEST_SAMPLES).reshape(n, LOUDEST_SAMPLES)
    return float(np.square(frames, dtype=np.float64).mean(axis=1).max(initial=0.0))


def _background(
    noise: Sequence[tuple[str, Float32]], n: int, rng: np.random.Generator
) -> tuple[Float32, list[tuple[int, str]]]:
    """Noises in random order at one level, cut or repeated to (n,); and where each starts."""
    pieces: list[Float32] = []
    places, at = [], 0
    while at < n:
        name, whole = noise[rng.integers(len(noise))]
        piece = whole[: NOISE_PIECE_S * SAMPLE_RATE]
        level = float(np.sqrt(np.mean(np.square(piece, dtype=np.float64)))) + 1e-9
        pieces.append(piece * np.float32(db_to_gain(NOISE_DBFS) / level))
        places.append((at, name))
        at += len(piece)
    return np.concatenate(pieces)[:n], places
