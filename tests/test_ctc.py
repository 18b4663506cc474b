"""Phones learned from speech whose transcript is known and whose timing is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_words import make_dataset

pytest.importorskip("tensorflow")

import keras

from training import backbone as backbones
from training import ctc
from training.backbone import Backbone
from training.transcripts import SYMBOLS, TranscriptSpec, gather
from wakeword.errors import WakewordError

RECIPE = """
name = "vowels"
scenes = 160
aside = 20
simulated_rooms = 2
[data]
datasets = ["words"]
[scene]
duration_s = 1.8
negatives = [1, 1]
snr_db = [20, 40]
warp_share = 0.0
room_share = 0.0
[network]
filters = 32
units = 32
dropout = 0.0
[batch]
size = 16
formant = [0.97, 1.03]
masks = 0
tempo = [0.9, 1.1]
[fit]
steps = 700
check_steps = 350
rise_steps = 30
learning_rate = 1e-2
average_steps = 30
"""


def cost_by_hand(logits: np.ndarray, labels: list[int]) -> float:
    """-log p(labels): the forward variable of Graves et al. 2006, in plain probabilities."""
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    states = [0]
    for label in labels:
        states += [label, 0]
    alpha = np.zeros(len(states))
    alpha[0] = 1.0
    for step, row in enumerate(p):
        before, alpha = alpha, np.zeros(len(states))
        for i, state in enumerate(states):
            reach = before[i] if step or i == 0 else 0.0
            if i and (step or i == 1):
                reach += before[i - 1]
            if i > 1 and state and state != states[i - 2]:
                reach += before[i - 2]
            alpha[i] = reach * row[state]
    return float(-np.log(alpha[-1] + (alpha[-2] if len(states) > 1 else 0.0)))


@pytest.mark.parametrize("labels", [[], [3], [3, 5], [4, 4]])
def test_the_loss_is_that_of_all_alignments(labels: list[int]) -> None:
    logits = np.random.default_rng(1).normal(size=(1, 7, len(SYMBOLS))).astype(np.float32)
    row = np.zeros((1, 6), np.int32)
    row[0, 0], row[0, 1 : 1 + len(labels)] = len(labels), labels
    given = float(keras.ops.convert_to_numpy(ctc.loss()(row, logits)))
    assert given == pytest.approx(cost_by_hand(logits[0], labels) / max(5, len(labels)), rel=1e-4)


def test_the_edit_distance_counts_insertions_deletions_and_substitutions() -> None:
    assert ctc.edit_distance([1, 2, 3], [1, 2, 3]) == 0
    assert ctc.edit_distance([1, 3], [1, 2, 3]) == 1
    assert ctc.edit_distance([], [1, 2]) == 2
    assert ctc.edit_distance([5, 1, 2, 4], [1, 2, 3]) == 2
    assert ctc.collapse([0, 1, 1, 0, 1, 2, 2, 0]) == [1, 1, 2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backbone")
    make_dataset(folder / "words", np.random.default_rng(7))
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> Backbone:
    return backbones.run(folder / "recipe.toml", folder / "run")


def test_a_backbone_learns_the_phones_of_a_voice_that_it_never_heard(trained: Backbone) -> None:
    assert trained.about.phone_error_rate < 0.6  # one that knows nothing says nothing: 1.0


def test_a_backbone_comes_back_from_its_file(folder: Path, trained: Backbone) -> None:
    loaded = Backbone.load("run/vowels.npz", beside=folder)
    assert loaded.about == trained.about
    assert loaded.sha256() == trained.sha256()
    assert loaded.head().dense.shape == (32, len(SYMBOLS))
    assert loaded.head().logits


def test_a_run_that_is_done_gives_the_same_backbone_again(folder: Path, trained: Backbone) -> None:
    assert backbones.run(folder / "recipe.toml", folder / "run").sha256() == trained.sha256()


def test_a_run_folder_of_another_recipe_is_refused(folder: Path, trained: Backbone) -> None:
    (folder / "other.toml").write_text(RECIPE.replace("scenes = 160", "scenes = 161"))
    with pytest.raises(WakewordError, match="another recipe"):
        backbones.run(folder / "other.toml", folder / "run")


def test_a_damaged_or_missing_backbone_is_named(folder: Path, trained: Backbone) -> None:
    damaged = folder / "damaged.npz"
    damaged.write_bytes((folder / "run" / "vowels.npz").read_bytes()[:-2000])
    with pytest.raises(WakewordError, match=r"damaged\.npz"):
        Backbone.load(damaged)
    with pytest.raises(WakewordError, match="no such backbone"):
        Backbone.load("nothing")


def test_the_speakers_kept_aside_are_not_learned_from(folder: Path) -> None:
    speech = gather(TranscriptSpec(datasets=("words",)), folder)
    assert {c.speaker for c in speech.validation} == {"voice8"}
    assert not {c.speaker for c in speech.train} & {"voice8", "voice9"}
    assert speech.phones["0-0"] == ("AA", "IY", "UW")
