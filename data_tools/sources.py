"""Sources: what scenes are mixed from, by role, with the weight each clip is drawn by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data_tools.augment.room import tidy_response
from data_tools.bounds import speech_bounds
from data_tools.clip import Clip
from data_tools.pool import AudioPool
from wakeword.audio import SAMPLE_RATE, Float32, Int16, to_float32

SPEECH_MIN_S = 5.0  # a longer negative is running speech, of which stretches are taken
SYNTHETIC_WEIGHT = 0.35  # of a synthetic utterance among real ones, where texts are balanced
MARGIN = SAMPLE_RATE // 20  # 50 ms kept around the speech of a clip


class Word(NamedTuple):
    """(n,) float32 audio and the samples at which its speech starts and ends."""

    audio: Float32
    start: int
    end: int


@dataclass(frozen=True)
class Role:
    """Clips of one role in a pool: their numbers, and cumulated weights to draw by."""

    numbers: npt.NDArray[np.int64]
    cumulated: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.numbers)

    def draw(self, rng: np.random.Generator) -> int:
        """The number of a clip in the pool."""
        return int(self.numbers[np.searchsorted(self.cumulated, rng.random(), side="right")])


@dataclass(frozen=True)
class Sources:
    """A pool of decoded clips sorted by role, and room responses.

    ``speech`` is drawn by duration, words by speaker: a clip of a speaker with n clips weighs
    n ** -balance (0: every clip alike, 1: every speaker alike).
    """

    pool: AudioPool
    positives: Role
    negatives: Role  # single words and sentences: near misses, other phrases
    speech: Role  # running speech, minutes long
    noise: Role
    rooms: tuple[Float32, ...] = field(repr=False, default=())
    bounds: Mapping[int, tuple[int, int]] = field(repr=False, default_factory=dict)  # of words

    @classmethod
    def sort(
        cls,
        pool: AudioPool,
        simulated_rooms: Sequence[Float32] = (),
        balance: float = 0.5,
        speech_min_s: float = SPEECH_MIN_S,
        people_weight: float = 1.0,
        by_text: bool = False,
    ) -> Sources:
        """The clips of a pool by label and length; impulse responses become rooms.

        A wake phrase said by a person weighs ``people_weight`` times one by a synthetic voice.
        ``by_text`` balances the negatives by what is said instead of who says it.
        """
        roles: dict[str, list[int]] = {"positive": [], "negative": [], "speech": [], "noise": []}
        rooms = list(simulated_rooms)
        bounds = {}
        for number, clip in enumerate(pool.clips):
            n = len(pool.samples(number))
            if clip.label == "rir":
                rooms.append(tidy_response(to_float32(pool.samples(number))))
            elif clip.label == "background":
                roles["noise"].append(number)
            elif clip.label == "negative" and n > speech_min_s * SAMPLE_RATE:
                roles["speech"].append(number)
            elif found := _bounds(clip, pool.samples(number)):  # else there is nothing to hear
                roles[clip.label].append(number)
                bounds[number] = found
        return cls(
            pool,
            positives=_by_speaker(pool.clips, roles["positive"], balance, people_weight),
            negatives=_by_text(pool.clips, roles["negative"], balance)
            if by_text
            else _by_speaker(pool.clips, roles["negative"], balance),
            speech=_by_duration(pool, roles["speech"]),
            noise=_by_duration(pool, roles["noise"]),
            rooms=tuple(rooms),
            bounds=bounds,
        )

    def word(self, number: int) -> Word:
        """A positive or negative clip, trimmed to its speech with 50 ms around it."""
        samples = self.pool.samples(number)
        start, end = self.bounds[number]
        first = max(0, start - MARGIN)
        return Word(to_float32(samples[first : end + MARGIN]), start - first, end - first)

    def stretch(self, role: Role, n: int, rng: np.random.Generator) -> tuple[Float32, int]:
        """(n,) float32 from anywhere in a drawn clip, repeated if it is shorter; and its number."""
        number = role.draw(rng)
        samples = self.pool.samples(number)
        start = int(rng.integers(max(1, len(samples) - n + 1)))
        piece = to_float32(samples[start : start + n])
        return (np.resize(piece, n) if len(piece) < n else piece), number


def _bounds(clip: Clip, samples: Int16) -> tuple[int, int] | None:
    """The speech's first and one past its last sample: as the manifest says, else as measured."""
    if clip.speech_start_s is None or clip.speech_end_s is None:
        return speech_bounds(samples)
    start, end = (round(s * SAMPLE_RATE) for s in (clip.speech_start_s, clip.speech_end_s))
    return (start, min(end, len(samples))) if 0 <= start < min(end, len(samples)) else None


def _by_speaker(
    clips: Sequence[Clip], numbers: list[int], balance: float, people_weight: float = 1.0
) -> Role:
    count = Counter(clips[i].speaker for i in numbers)
    weights = [
        count[clips[i].speaker] ** -balance * (1.0 if clips[i].origin == "tts" else people_weight)
        for i in numbers
    ]
    return _role(numbers, weights)


def _by_text(clips: Sequence[Clip], numbers: list[int], balance: float) -> Role:
    """Three words by a thousand people must not drown a thousand sentences by a hundred."""
    count = Counter((clips[i].transcript or "").lower() for i in numbers)
    weights = [
        count[(clips[i].transcript or "").lower()] ** -balance
        * (SYNTHETIC_WEIGHT if clips[i].origin == "tts" else 1.0)
        for i in numbers
    ]
    return _role(numbers, weights)


def _by_duration(pool: AudioPool, numbers: list[int]) -> Role:
    return _role(numbers, [len(pool.samples(i)) for i in numbers])


def _role(numbers: list[int], weights: Sequence[float]) -> Role:
    cumulated = np.cumsum(np.array(weights, np.float64))
    if len(cumulated):
        cumulated /= cumulated[-1]
    return Role(np.array(numbers, np.int64), cumulated)
