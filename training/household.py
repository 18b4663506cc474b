"""A household: takes by a few people to adapt a bundle to, and what it was trained on beside them.

Takes of the phrase are divided by take, not by speaker: the people who will speak are those who
have spoken. Everybody else's talk is divided by speaker, as ever.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data_tools.clip import Clip
from data_tools.dataset import Dataset
from data_tools.sources import SPEECH_MIN_S
from data_tools.tables import shared_folder
from training.config import DataSpec
from training.division import gather, is_aside
from wakeword.errors import WakewordError

KEPT_OUT = 3  # every third take of a person is kept out
LEAST_TAKES = 6  # of a person
TALK_HOURS = 3.0  # at most, of each use of talk; more costs minutes and changes little
STRANGERS = 400  # at most, synthetic near misses, and positives as many as there are takes


@dataclass(frozen=True)
class Household:
    """All clips of a tuning by use."""

    takes: tuple[Clip, ...]  # of the phrase, to learn from
    kept_out: tuple[Clip, ...]  # of the phrase, to measure on
    others: tuple[Clip, ...]  # other words by people, to learn against
    strangers: tuple[Clip, ...]  # synthetic voices of the first training, so they aren't forgotten
    surroundings: tuple[Clip, ...]  # noises and rooms
    talk: tuple[Clip, ...]  # running speech by anybody: to learn against,
    talk_aside: tuple[Clip, ...]  # to choose thresholds on,
    talk_heard: tuple[Clip, ...]  # and to count false accepts on

    @property
    def learned_from(self) -> tuple[Clip, ...]:
        """What has an influence on the network or its thresholds."""
        return (*self.takes, *self.others, *self.strangers, *self.surroundings, *self.talk,
                *self.talk_aside)  # fmt: skip


def gather_household(
    phrase: str, datasets: Sequence[Path], first: DataSpec, beside: Path
) -> Household:
    """The household of ``datasets``; of the first training's data whatever is on this machine.

    ``beside`` is the folder that relative paths in ``first`` start at. WakewordError if somebody
    says the phrase too seldom, or nobody talks.
    """
    own = [clip for folder in datasets for clip in _clips(folder, phrase)]
    said = [clip for clip in own if clip.label == "positive" and clip.split != "test"]
    takes, kept_out = _divide_takes(phrase, said, datasets)
    rest = [clip for clip in own if clip.label != "positive"]
    people = {clip.speaker for clip in said}
    known = [*rest, *(c for c in _first_clips(phrase, first, beside) if c.speaker not in people)]

    uses: dict[str, list[Clip]] = defaultdict(list)
    for clip in known:
        uses[_use(clip, first)].append(clip)
    strangers = [c for c in uses["stranger"] if c.label == "positive"]
    near = [c for c in uses["stranger"] if c.label == "negative"]
    household = Household(
        takes,
        kept_out,
        tuple(uses["other"]),
        tuple(_shuffled(strangers)[: len(takes)] + _shuffled(near)[:STRANGERS]),
        tuple(uses["surroundings"]),
        tuple(_hours(uses["talk"])),
        tuple(_hours(uses["aside"])),
        tuple(_hours(uses["heard"])),
    )
    if not (household.talk and household.talk_aside and household.talk_heard):
        raise WakewordError(
            f"{', '.join(map(str, datasets))}: too few people talk here to count false accepts "
            "with; give a dataset of running speech as well, by --data (wakeword data fetch "
            "librispeech-dev-clean, then wakeword data import)"
        )
    return household


def _divide_takes(
    phrase: str, said: Sequence[Clip], datasets: Sequence[Path]
) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Takes to learn from, and every third of each person's, kept out."""
    by_person: dict[str, list[Clip]] = defaultdict(list)
    for clip in said:
        by_person[clip.speaker or "a speaker without a name"].append(clip)
    few = [f"{name} says {phrase!r} {len(own)} times" for name, own in sorted(by_person.items())
           if len(own) < LEAST_TAKES]  # fmt: skip
    if few or not by_person:
        found = "; ".join(few) or f"nobody says {phrase!r}"
        raise WakewordError(
            f"{', '.join(map(str, datasets))}: {found}; record {LEAST_TAKES} takes or more of each "
            "person, better 10 (wakeword data record)"
        )
    learned, kept_out = [], []
    for own in by_person.values():
        for number, clip in enumerate(own, start=1):
            (learned if number % KEPT_OUT else kept_out).append(clip)
    return tuple(learned), tuple(kept_out)


def _clips(folder: Path, phrase: str) -> Iterator[Clip]:
    """What people say in a dataset, and its noises, labelled for the phrase."""
    dataset = Dataset.open(folder)
    for clip in dataset.clips():
        if clip.origin == "tts":
            continue
        label = "positive" if clip.phrase == phrase else clip.label
        label = "negative" if label == "positive" and clip.phrase != phrase else label
        yield replace(clip, path=str(dataset.path(clip).resolve()), label=label)


def _first_clips(phrase: str, first: DataSpec, beside: Path) -> Iterable[Clip]:
    there = tuple(name for name in first.datasets if (beside / name).is_dir())
    shared = first.shared and shared_folder() is not None
    if not there and not shared:
        return []
    return gather(replace(first, datasets=there, shared=shared), phrase, beside)


def _use(clip: Clip, first: DataSpec) -> str:
    if clip.label in ("background", "rir"):
        return "not used" if clip.split == "test" else "surroundings"
    if clip.origin == "tts":
        return "not used" if clip.split == "test" or is_aside(clip, first) else "stranger"
    if clip.label == "positive":
        return "not used"  # by others than the household
    if (clip.duration_s or 0.0) <= SPEECH_MIN_S:
        return "not used" if clip.split in ("validation", "test") else "other"
    if clip.split is None:
        return ("talk", "aside", "heard")[_draw(clip.speaker or clip.id) % 3]
    if clip.split == "test" or clip.speaker in first.keep_speakers:
        return "heard"
    return "aside" if is_aside(clip, first) else "talk"


def _shuffled(clips: Iterable[Clip]) -> list[Clip]:
    """In an order that more clips don't change."""
    return sorted(clips, key=lambda clip: _draw(clip.id))


def _hours(clips: Iterable[Clip]) -> Iterator[Clip]:
    """Clips until TALK_HOURS are full."""
    hours = 0.0
    for clip in _shuffled(clips):
        hours += (clip.duration_s or 0.0) / 3600
        if hours > TALK_HOURS:
            return
        yield clip


def _draw(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
