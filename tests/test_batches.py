"""Batches show the network what the device will: whole phrases, single scenes, honest labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data_tools.labels import LabelSpec, frame_labels
from training.batches import SILENCE, BatchSpec, Sampler, warped_channels
from training.material import Material
from wakeword.frontend import dequantize

SPEC = BatchSpec(size=64, frames=120, mask_share=0.0, tempo=(1.0, 1.0), formant=(1.0, 1.0))


def material(n_scenes: int = 20, scene_frames: int = 200) -> Material:
    """Scenes whose frames all hold the scene's number; a phrase at 100..150 in each."""
    scenes = np.arange(n_scenes + 1, dtype=np.int64) * scene_frames
    frames = np.repeat(np.arange(n_scenes, dtype=np.int8), scene_frames)
    phrases = np.stack((scenes[:-1] + 60, scenes[:-1] + 100), axis=1)
    labels = frame_labels(phrases[:, 1], len(frames), LabelSpec())
    return Material(
        np.repeat(frames[:, np.newaxis], 40, axis=1), labels, scenes, phrases,
        others=np.empty((0, 2), np.int64),
    )  # fmt: skip


def test_the_same_seed_and_step_give_the_same_batch_in_any_order() -> None:
    sampler = Sampler(material(), SPEC, 3, seed=1)
    later = sampler.batch(7)
    sampler.batch(3)
    again = Sampler(material(), SPEC, 3, seed=1).batch(7)
    np.testing.assert_array_equal(later.frames, again.frames)
    np.testing.assert_array_equal(later.weights, again.weights)
    assert not np.array_equal(later.frames, sampler.batch(8).frames)
    assert not np.array_equal(later.frames, Sampler(material(), SPEC, 3, seed=2).batch(7).frames)


def test_no_window_runs_over_into_another_scene() -> None:
    sampler = Sampler(material(scene_frames=100), SPEC, 3, seed=1)
    silence = dequantize(np.array(SILENCE, np.int8))
    for step in range(5):
        batch = sampler.batch(step)
        for window in batch.frames[:, :, 0]:
            assert len(np.unique(window[window != silence])) == 1


def test_what_lies_beyond_a_scene_is_not_judged() -> None:
    batch = Sampler(material(scene_frames=90), SPEC, 3, seed=1).batch(0)
    silence = dequantize(np.array(SILENCE, np.int8))
    beyond = (batch.frames[:, 2::3, 0] == silence) & (batch.frames[:, :1, 0] != silence)
    assert beyond.any()
    assert not batch.weights[beyond].any()


def test_a_phrase_that_began_before_the_window_is_not_judged_as_heard() -> None:
    all_anywhere = replace(SPEC, positive_share=0.0, near_miss_share=0.0, cold_share=0.0, frames=60)
    sampler = Sampler(material(), all_anywhere, 3, seed=1)
    # Of every frame with a yes, tell by its value how far the window reaches back.
    marked = sampler.material.frames.copy()
    marked[:, 1] = np.resize(np.arange(200) % 128, len(marked))
    sampler.material = replace(sampler.material, frames=marked)
    judged_yes = 0
    for step in range(20):
        batch = sampler.batch(step)
        first_frame = np.rint(batch.frames[:, 0, 1] / dequantize(np.array(-127, np.int8))) - 128
        yes = (batch.targets[:, :, 0] > 0.5) & (batch.weights > 0)
        judged_yes += yes.any(axis=1).sum()
        assert (first_frame[yes.any(axis=1)] <= 60).all()
    assert judged_yes


def test_positive_windows_hold_a_phrase_whole_with_its_label() -> None:
    spec = replace(SPEC, positive_share=1.0, near_miss_share=0.0, mined_share=0.0, cold_share=0.0)
    batch = Sampler(material(), spec, 3, seed=1).batch(0)
    yes = (batch.targets[:, :, 0] > 0.5) & (batch.weights > 0)
    assert yes.any(axis=1).mean() > 0.95


def test_mined_false_accepts_come_back_in_the_batches() -> None:
    spec = replace(SPEC, positive_share=0.0, near_miss_share=0.0, mined_share=1.0)
    sampler = Sampler(material(), spec, 3, seed=1)
    sampler.mined = np.array([7 * 200 + 150])
    scene_7 = dequantize(np.array(7, np.int8))
    assert (sampler.batch(0).frames[:, 0, 0] == scene_7).all()


def test_a_window_that_is_no_multiple_of_the_stride_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 3"):
        Sampler(material(), replace(SPEC, frames=100), 3, seed=1)


def test_slower_windows_keep_their_labels_in_step() -> None:
    spec = replace(
        SPEC, positive_share=1.0, near_miss_share=0.0, mined_share=0.0, cold_share=0.0,
        tempo=(0.8, 0.8),
    )  # fmt: skip
    sampler = Sampler(material(), spec, 3, seed=1)
    marked = sampler.material.frames.copy()
    marked[:, 1] = np.where(sampler.material.labels == 1, 127, 0)
    sampler.material = replace(sampler.material, frames=marked)
    batch = sampler.batch(0)
    yes = (batch.targets[:, :, 0] > 0.5) & (batch.weights > 0)
    marks = batch.frames[:, 2::3, 1] == dequantize(np.array(127, np.int8))
    assert yes.sum() > 500
    assert marks[yes].all()
    # 30 frames of yes become 37 at 0.8 of the tempo: 12 steps rather than 10.
    assert yes.sum(axis=1).max() >= 12


def test_formants_move_up_with_a_factor_above_one() -> None:
    same, higher, lower = warped_channels(np.array([1.0, 1.15, 0.87], np.float32))
    np.testing.assert_array_equal(same, np.arange(40))
    assert (higher <= same).all()
    assert (higher[5:35] < same[5:35]).any()
    assert (lower >= same).all()
