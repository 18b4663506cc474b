"""What a checkpoint is chosen by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.material import Material
from training.validate import ValidationSpec, Validator

STRIDE = 3
LOUDNESS = {"talk": 30, "phrase": 60, "near miss": 90}  # int8 of every channel
SCENE = 600  # frames: six seconds each


class Loudness:
    """A network that says how loud a step is, so that a test says what is heard where."""

    def predict_on_batch(self, frames):
        return frames[:, ::STRIDE, :1] * 0.5 - 10


def material() -> Material:
    """Ten scenes of talk that peaks once, one with the phrase, one with a near miss."""
    said = ["talk"] * 10 + ["phrase", "near miss"]
    frames = np.full((len(said) * SCENE, 40), -128, np.int8)
    labels = np.zeros(len(frames), np.int8)
    spans = {name: [] for name in LOUDNESS}
    for number, name in enumerate(said):
        start, end = number * SCENE + 300, number * SCENE + 360
        frames[start:end] = LOUDNESS[name]
        spans[name].append((start, end))
    ((_, end),) = spans["phrase"]
    labels[end - 60 : end + 60] = 1
    return Material(
        frames=frames,
        labels=labels,
        scenes=np.arange(0, len(frames) + 1, SCENE),
        phrases=np.array(spans["phrase"]),
        others=np.array(spans["near miss"]),
    )  # fmt: skip


@pytest.fixture
def validator() -> Validator:
    spec = ValidationSpec(fa_per_hour=(1.0,), near_miss_weight=0.25)
    return Validator(spec, material(), material(), window=3, refractory_s=2.0, stride=STRIDE)


def test_near_misses_count_by_their_share_and_not_as_false_accepts(validator: Validator) -> None:
    """The loudest is one: as a false accept it would be alone in setting the threshold."""
    verdict = validator(Loudness())
    assert verdict.metrics["recall@1"] == 1.0 and verdict.metrics["near_miss"] == 1.0
    assert verdict.rank == pytest.approx(1.0 - 0.25)


def test_what_is_mined_begins_with_the_worst_near_miss(validator: Validator) -> None:
    mined = validator(Loudness()).mined
    ((start, end),) = material().others
    assert start <= mined[0] <= end + 70


def test_the_time_of_near_misses_is_no_time_of_talk(validator: Validator) -> None:
    scores = validator.scores(Loudness(), material())
    everything, hours = validator.false_peaks(scores, material())
    talk, hours_of_talk = validator.false_peaks(scores, material(), near_misses=False)
    assert len(everything) == len(talk) + 1
    assert hours * 3600 == pytest.approx(12 * 6.0)
    assert (hours - hours_of_talk) * 3600 == pytest.approx(0.6 + 0.7, abs=0.05)


def test_firing_early_in_the_phrase_is_hearing_it(validator: Validator) -> None:
    """A last sound may take half a second; what it is, is clear before it ends."""
    early = material()
    ((start, end),) = early.phrases
    longer = replace(
        early, phrases=np.array([(start, end + 50)]), labels=np.zeros_like(early.labels)
    )
    scores = validator.scores(Loudness(), longer)
    (step,) = validator.best_steps(scores, longer.phrases)
    assert start <= step * STRIDE <= end and scores[step] == scores[start // 3 : end // 3].max()
    peaks, _ = validator.false_peaks(scores, longer)
    assert not np.any((peaks[:, 1] * STRIDE >= start) & (peaks[:, 1] * STRIDE <= end + 50))
