"""The feature store: the device's own input, the same bytes however it was built."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scene_sources import tone_sources

from data_tools.dataset import Dataset
from data_tools.forget import forget
from data_tools.labels import LabelSpec, frame_labels, frame_of, n_frames_of
from data_tools.scene_spec import SceneSpec
from data_tools.scenes import render
from training import features
from training.features import FeatureStore, build, build_job
from training.jobs import StreamJob
from training.negatives import negatives
from wakeword.errors import WakewordError
from wakeword.frontend import FrontEnd, quantize

SPEC = SceneSpec(duration_s=4.0, positives=(0, 1), negatives=(0, 2))
N_SCENES = 60
SHARD_FRAMES = 1600  # four scenes


@pytest.fixture(scope="module", autouse=True)
def small_shards():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "SHARD_FRAMES", SHARD_FRAMES)
        yield


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return tone_sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def store(sources, tmp_path_factory):
    return build(tmp_path_factory.mktemp("one"), SPEC, sources, N_SCENES, seed=3, workers=1)


def contents(folder) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_scene_in_the_store_is_what_the_device_would_feed_its_network(store, sources):
    for number in (0, 7, N_SCENES - 1):
        rng = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(number,)))
        scene = render(SPEC, sources, rng)
        frames, events = store.scene(number)
        assert np.array_equal(frames, quantize(FrontEnd().push(scene.audio)))
        assert [bool(p) for p in events["positive"]] == [e.kind == "positive" for e in scene.events]
        assert events["end_frame"].tolist() == [frame_of(e.end_s) for e in scene.events]
        assert [store.clips[i] for i in events["clip"]] == [e.clip for e in scene.events]


def test_two_workers_give_the_same_bytes_as_one(store, sources, tmp_path):
    other = build(tmp_path / "two", SPEC, sources, N_SCENES, seed=3, workers=2)
    assert contents(other.folder) == contents(store.folder)


def test_another_seed_gives_other_bytes(store, sources, tmp_path):
    other = build(tmp_path / "other", SPEC, sources, 4, seed=4)
    assert not np.array_equal(other.scene(0)[0], store.scene(0)[0])


BUILD = """
import sys
from pathlib import Path
from scene_sources import tone_sources
from training import features
from test_features import SPEC, N_SCENES, SHARD_FRAMES
if __name__ == "__main__":
    features.SHARD_FRAMES = SHARD_FRAMES
    features.build(sys.argv[2], SPEC, tone_sources(Path(sys.argv[1])), N_SCENES, seed=3)
"""


def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(tmp_path):
    (tmp_path / "sources").mkdir()
    script = tmp_path / "script.py"
    script.write_text(BUILD)
    command = [sys.executable, str(script), str(tmp_path / "sources"), str(tmp_path / "store")]
    paths = os.pathsep.join(p for p in sys.path if p)
    environment = {**os.environ, "PYTHONPATH": paths}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    parts = tmp_path / "store" / "parts"
    while process.poll() is None and not list(parts.glob("*.json")):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in parts.glob("*.json")}
    assert finished, "killed after the build was over"
    with pytest.raises(WakewordError, match="unfinished"):
        FeatureStore.open(tmp_path / "store")
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    whole = tmp_path / "whole"
    again = [*command[:3], str(whole)]
    subprocess.run(again, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert contents(tmp_path / "store") == contents(whole)


def test_a_build_that_was_stopped_is_erased_with_a_speaker_in_it(sources, tmp_path, monkeypatch):
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(features, "_finish", stop)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "runs" / "store", SPEC, sources, 2)
    dataset = Dataset.open_or_create(tmp_path / "kitchen", ["x"])
    dataset.append(sources.pool.clips)
    speaker = sources.pool.clips[0].speaker
    assert forget(dataset, speaker, [tmp_path / "runs"], dry_run=False).features
    assert not (tmp_path / "runs" / "store").exists()


def test_a_folder_of_another_recipe_is_refused(store, sources):
    with pytest.raises(WakewordError, match="another recipe"):
        build(store.folder, SPEC, sources, N_SCENES, seed=99)


def test_a_store_cut_short_is_refused(sources, tmp_path):
    small = build(tmp_path / "small", SPEC, sources, 2)
    path = small.folder / "frames.int8"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(WakewordError, match=r"frames\.int8"):
        FeatureStore.open(small.folder)


def test_streams_hold_every_speech_and_noise_clip_clean_and_augmented(sources, tmp_path):
    store = build_job(tmp_path / "streams", StreamJob(SPEC, sources, 2), seed=0, workers=1)
    clips = [*sources.speech.numbers, *sources.noise.numbers]
    assert store.n_scenes == 3 * len(clips)
    clean = quantize(FrontEnd().push(np.array(sources.pool.samples(int(clips[0])))))
    assert np.array_equal(store.scene(0)[0], clean)
    assert len(store.scene(len(clips))[0]) == len(clean)
    assert not np.array_equal(store.scene(len(clips))[0], clean)
    assert len(store.events) == 0


@pytest.mark.parametrize("n_samples", [0, 479, 480, 481, 16_000, 16_100])
def test_the_number_of_frames_is_the_front_ends(n_samples):
    assert n_frames_of(n_samples) == len(FrontEnd().push(np.zeros(n_samples, np.int16)))


def test_the_frame_of_a_time_is_the_first_that_has_heard_it():
    for samples in (0, 480, 481, 640, 16_000):
        frame = frame_of(samples / 16_000)
        heard = 160 * frame + 480
        assert heard >= samples
        assert frame == 0 or heard - 160 < samples


def test_labels_are_one_after_the_end_and_ignored_around_it():
    spec = LabelSpec(from_s=0.0, to_s=0.1, ignored_before_s=0.05, ignored_after_s=0.05)
    labels = frame_labels(np.array([30]), 60, spec)
    assert labels.tolist() == [0] * 25 + [-1] * 5 + [1] * 10 + [-1] * 5 + [0] * 15


def test_a_yes_is_never_ignored_because_of_its_neighbour():
    spec = LabelSpec(to_s=0.1, ignored_before_s=0.5, ignored_after_s=0.5)
    labels = frame_labels(np.array([30, 45]), 100, spec)
    assert (labels == 1).sum() == 20


def test_another_phrase_finds_the_talk_that_was_made_to_features(tmp_path: Path) -> None:
    clips = tone_sources(tmp_path).pool.clips
    clips = [replace(clip, duration_s=8.0, origin="corpus") for clip in clips]
    first = negatives(tmp_path / "cache", clips, SPEC, copies=1)
    assert first is not None
    assert first.n_scenes == 4  # talk and noise, as they are and once more
    made = (first.folder / "events.npy").stat().st_mtime_ns
    other_phrase = [c for c in clips if c.label != "positive"]
    other_scenes = replace(SPEC, duration_s=7.0, negatives=(1, 1))
    again = negatives(tmp_path / "cache", other_phrase, other_scenes, copies=1)
    assert again is not None
    assert again.folder == first.folder
    assert (again.folder / "events.npy").stat().st_mtime_ns == made
    louder = negatives(tmp_path / "cache", clips, replace(SPEC, snr_db=(0, 1)), copies=1)
    assert louder is not None
    assert louder.folder != first.folder


def test_where_nobody_talks_there_are_no_negatives(tmp_path: Path) -> None:
    clips = [c for c in tone_sources(tmp_path).pool.clips if c.label == "background"]
    assert negatives(tmp_path / "cache", clips, SPEC, copies=1) is None
