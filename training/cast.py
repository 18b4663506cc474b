"""The cast of a test: who says the phrase, who says nearly the phrase, who talks, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_tools.augment.room import RoomSimulator, tidy_response
from data_tools.clip import Clip
from data_tools.dataset import Dataset
from training.division import divide, gather, refuse_both_sides
from training.runs import clips_sha256
from training.streams import (
    CONDITIONS,
    NEAR_MISSES,
    PHRASES,
    SPEECH,
    Condition,
    Stream,
    Surroundings,
    spoken,
)
from wakeword.audio import Float32, read_file, to_float32
from wakeword.errors import WakewordError

NEAR_PEOPLE = "near misses by people"
SIMULATED_ROOMS = 20  # where no clip is a room response
SPEECH_CONDITIONS = ("clean", "10 dB", "5 dB")  # what false accepts are counted in


@dataclass(frozen=True)
class Cast:
    """Clips of a test by role; nobody in it was learned from."""

    phrase: str
    phrases: tuple[Clip, ...]
    near_misses: tuple[Clip, ...] = ()
    speech: tuple[Clip, ...] = ()
    noise: tuple[Clip, ...] = ()
    rirs: tuple[Clip, ...] = ()

    @classmethod
    def of(cls, phrase: str, clips: Iterable[Clip]) -> Cast:
        """Sort clips; synthetic negatives are near misses, real ones are speech."""
        roles: dict[str, list[Clip]] = {}
        for clip in clips:
            label = clip.label
            if label == "negative":
                label = "near" if clip.origin == "tts" or clip.prompt else "speech"
            roles.setdefault(label, []).append(clip)
        return cls(
            phrase,
            tuple(roles.get("positive", ())),
            tuple(roles.get("near", ())),
            tuple(roles.get("speech", ())),
            tuple(roles.get("background", ())),
            tuple(roles.get("rir", ())),
        )

    @classmethod
    def of_recipe(cls, path: Path, choosers: bool = False) -> Cast:
        """The test split of a recipe, without anybody whom the recipe learns from.

        With ``choosers`` also what was said, of the phrase and near it, by those who were kept
        aside to choose the checkpoint.
        """
        from training.config import read_recipe

        recipe = read_recipe(path)
        phrase = recipe.about.phrase
        division = divide(recipe.data, phrase, path.parent)
        every = gather(recipe.data, phrase, path.parent)
        rirs = [c for c in every if c.label == "rir" and c.split == "test"]
        said = [c for c in division.validation if choosers and (c.label == "positive" or
                c.origin == "tts")]  # fmt: skip
        return cls.of(phrase, [*division.test, *said, *rirs])

    @classmethod
    def of_datasets(cls, folders: Sequence[Path], phrase: str | None, split: str) -> Cast:
        """Clips of one split ("all" for every clip) of dataset folders."""
        clips: list[Clip] = []
        for folder in folders:
            dataset = Dataset.open(folder)
            clips += [replace(c, path=str(dataset.path(c).resolve())) for c in dataset.clips()]
        refuse_both_sides(clips)
        if split != "all":
            found = sorted({c.split or "none" for c in clips})
            clips = [c for c in clips if c.split == split]
            if not clips:
                raise WakewordError(
                    f"{', '.join(map(str, folders))}: no clip of the split {split!r} "
                    f"(found: {', '.join(found)}); divide it with wakeword data split, "
                    "or give --split all"
                )
        phrases = {c.phrase for c in clips if c.phrase}
        if phrase is None:
            if len(phrases) != 1:
                raise WakewordError(
                    f"{', '.join(map(str, folders))}: phrases {sorted(phrases)}; "
                    "say which one is tested with --phrase"
                )
            phrase = phrases.pop()
        labelled = (
            replace(c, label="positive" if c.phrase == phrase else "negative")
            if c.label in ("positive", "negative")
            else c
            for c in clips
        )
        return cls.of(phrase, labelled)

    def sha256(self) -> str:
        """Hash of who and what is in it."""
        every = (*self.phrases, *self.near_misses, *self.speech, *self.noise, *self.rirs)
        return clips_sha256(every)

    def streams(
        self, conditions: Sequence[str], rng: np.random.Generator, noisy_speech: bool = True
    ) -> Iterator[Stream]:
        """Every role in every condition for which there is noise or a room."""
        around = Surroundings(self.noise, self._rooms() if _needs_rooms(conditions) else ())
        wanted = [CONDITIONS[c] for c in conditions if around.allow(CONDITIONS[c])]
        groups = {
            "people": [c for c in self.phrases if c.origin != "tts"],
            "synthetic voices": [c for c in self.phrases if c.origin == "tts"],
        }
        for who, clips in groups.items():
            for condition in wanted if clips else ():
                yield from spoken(PHRASES, who, clips, condition, around, rng)
        groups = {
            "": [c for c in self.near_misses if c.origin == "tts"],
            NEAR_PEOPLE: [c for c in self.near_misses if c.origin != "tts"],
        }
        for who, clips in groups.items():
            if clips:
                clean = CONDITIONS["clean"]
                yield from spoken(NEAR_MISSES, who, clips, clean, around, rng)
        for condition in self._for_speech(wanted, noisy_speech):
            yield from spoken(SPEECH, "", self.speech, condition, around, rng)

    def _for_speech(self, wanted: Sequence[Condition], noisy: bool) -> list[Condition]:
        if not self.speech:
            return []
        noisy_too = [c for c in wanted if c.name in SPEECH_CONDITIONS and c.snr_db and noisy]
        return [CONDITIONS["clean"], *noisy_too]

    def _rooms(self) -> list[Float32]:
        if self.rirs:
            return [tidy_response(to_float32(read_file(clip.path))) for clip in self.rirs]
        return RoomSimulator().simulate_many(SIMULATED_ROOMS, seed=0)


def _needs_rooms(conditions: Sequence[str]) -> bool:
    return any(CONDITIONS[name].closeness_db is not None for name in conditions)
