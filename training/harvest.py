"""Mistakes turned into training clips: what fired falsely becomes a negative, a miss a positive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from data_tools.clip import Clip
from data_tools.dataset import Dataset
from training.mistakes import FALSE, MISS, Mistake
from wakeword.audio import SAMPLE_RATE
from wakeword.errors import WakewordError

MARGIN_S = 0.5  # kept around an utterance


class TestMaterial(WakewordError):
    """A mistake on the test's audio: learning from it would end the test."""


def choose(mistakes: Sequence[Mistake], ids: Sequence[str]) -> list[Mistake]:
    """The mistakes with these ids; WakewordError names one that is not there."""
    known = {mistake.id: mistake for mistake in mistakes}
    for name in ids:
        if name not in known:
            raise WakewordError(
                f"no mistake {name!r} at this operating point; list them: wakeword train errors RUN"
            )
    return [known[name] for name in ids]


def harvest(
    mistakes: Sequence[Mistake], phrase: str, dataset: Dataset, from_test: bool = False
) -> list[Clip]:
    """Add a clip of each to a dataset, in its train split; those that are there already are not.

    Raises TestMaterial for the test's clips unless ``from_test``: whoever trains on them needs
    another test.
    """
    tested = sorted({m.clip.id for m in mistakes if m.clip and m.clip.split == "test"})
    if tested and not from_test:
        raise TestMaterial(
            f"{len(tested)} of them come from the test split ({tested[0]} first); training on them "
            "ends the test: make streams of other material, or say --from-test and test on other "
            "speakers from now on"
        )
    there = {clip.id for clip in dataset.clips()}
    added = []
    for mistake in mistakes:
        clip = clip_of(mistake, phrase)
        if clip.id in there:
            continue
        whole = mistake.stream.audio
        after_s = MARGIN_S / 2 if mistake.kind == FALSE else MARGIN_S
        first = max(0, int((mistake.start_s - MARGIN_S) * SAMPLE_RATE))
        last = int((mistake.end_s + after_s) * SAMPLE_RATE)
        added.append(dataset.add(whole[first:last], clip))
    return added


def clip_of(mistake: Mistake, phrase: str) -> Clip:
    """The new clip's line: who, whose licence and from which recording stay with it."""
    said = mistake.kind == MISS
    new = Clip(
        id=f"error-{mistake.id}",
        path="",
        label="positive" if said else "negative",
        origin="recorded",
        phrase=phrase if said else None,
        split="train",
    )
    old = mistake.clip
    if old is None:
        return new
    return replace(
        new, origin=old.origin, transcript=old.transcript, speaker=old.speaker, group=old.group,
        engine=old.engine, voice=old.voice, recording=old.recording or old.id, licence=old.licence,
        commercial_use=old.commercial_use, consent=old.consent,
    )  # fmt: skip


def into(folder: Path, phrase: str) -> Dataset:
    """The dataset of a folder, made first if need be."""
    return Dataset.open_or_create(folder, [phrase])
