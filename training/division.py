"""Who is learned from, who chooses the checkpoint, and who is tested: divided by speaker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data_tools.clip import SPLITS, Clip
from data_tools.dataset import Dataset
from data_tools.tables import Tables
from training.config import DataSpec
from wakeword.errors import WakewordError


@dataclass(frozen=True)
class Division:
    """All clips of a training by use. No speaker of a wake phrase is in two of them."""

    train: tuple[Clip, ...]
    validation: tuple[Clip, ...]  # utterances and speech; noise and rooms are those of train
    test: tuple[Clip, ...]

    @property
    def learned_from(self) -> tuple[Clip, ...]:
        """What has an influence on the network, its choice or its thresholds."""
        return self.train + self.validation


def divide(spec: DataSpec, phrase: str, beside: Path) -> Division:
    """Gather the clips and divide them; ``beside`` is the recipe's folder.

    A test speaker is one that the model has never heard: clips of the test split by speakers that
    occur in train are left out. WakewordError if there is nothing to learn.
    """
    clips = list(gather(spec, phrase, beside))
    # Synthetic voices share the humans behind them: those who are learned from leave the test.
    refuse_both_sides([clip for clip in clips if clip.origin in ("recorded", "device")])
    learnable = [
        clip
        for clip in clips
        if clip.split != "test"
        and clip.speaker not in spec.keep_speakers
        and (clip.commercial_use or not spec.products_only)
    ]
    aside = [clip for clip in learnable if is_aside(clip, spec)]
    train = [clip for clip in learnable if not is_aside(clip, spec)]
    if not any(clip.label == "positive" for clip in train):
        raise WakewordError(
            f"nobody says {phrase!r} in the training data; record it (wakeword data record), "
            "or give data.datasets that hold it"
        )
    known = {c.speaker for c in train + aside if c.speaker}
    test = [
        clip
        for clip in clips
        if (clip.split == "test" or clip.speaker in spec.keep_speakers)
        and clip.speaker not in known
        and clip.label != "rir"
    ]
    return Division(tuple(train), tuple(aside), tuple(test))


def gather(spec: DataSpec, phrase: str, beside: Path) -> Iterable[Clip]:
    """Every clip that a recipe names, in any split, labelled for its phrase."""
    if spec.shared:
        tables = Tables.open()
        yield from tables.tts(phrase)
        yield from tables.speech()
        yield from tables.noise()
        yield from tables.rirs()
        # They tell how synthetic voices carry over to people; a recipe may learn from some.
        for clip in tables.wake(phrase):
            yield replace(clip, split="train" if clip.speaker in spec.people else "test")
        for clip in tables.near_misses(phrase):
            yield replace(clip, split="test")
    for folder in spec.datasets:
        dataset = Dataset.open(beside / folder)
        for clip in dataset.clips():
            yield replace(
                clip,
                path=str(dataset.path(clip).resolve()),
                label="positive" if clip.phrase == phrase else
                "negative" if clip.label == "positive" else clip.label,
            )  # fmt: skip


def refuse_both_sides(clips: Sequence[Clip]) -> None:
    """A speaker in train and in test makes every number of the test a mirage."""
    splits: dict[str, set[str]] = {}
    for clip in clips:
        if clip.speaker and clip.split in SPLITS:
            splits.setdefault(clip.speaker, set()).add(clip.split)
    for speaker, inside in splits.items():
        if "test" in inside and len(inside) > 1:
            raise WakewordError(
                f"the speaker {speaker!r} is in the splits {', '.join(sorted(inside))}; a test on "
                "people who were learned from says nothing: wakeword data split --again"
            )


def is_aside(clip: Clip, spec: DataSpec) -> bool:
    """Whether a clip that may be learned from is for validation instead."""
    if clip.split == "validation" or (
        clip.speaker in spec.validation_speakers and clip.origin != "corpus"
    ):
        return True
    if clip.label != "negative" or clip.origin == "tts" or clip.speaker is None:
        return False
    # By a hash of the speaker, so that more data never moves a speaker to the other side.
    draw = int.from_bytes(hashlib.sha256(clip.speaker.encode()).digest()[:4], "big") / 2**32
    return draw < spec.validation_share
