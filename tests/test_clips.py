"""What is kept of what was heard: nothing, unless its owner switched it on."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from soundcard import SoundCard, soundcard  # noqa: F401
from test_listen import Listening, play_until, spoken  # noqa: F401

from data_tools.dataset import Dataset
from wakeword.audio import SAMPLE_RATE, read_file
from wakeword.clips import ClipKeeper, ClipsSpec, ClipStore, KeptClip
from wakeword.detector import Detector
from wakeword.errors import WakewordError

NAME = "robert_turn_on"
CLIP = KeptClip("a", "wake", NAME, "Robert turn on", 0.9, "2026-01-01T00:00:00+0000", 1.0)


def hear(keeper: ClipKeeper, detector: Detector, audio: np.ndarray) -> list[float]:
    """Play audio to both as listening does; when the detections came."""
    times_s = []
    for start in range(0, len(audio), 480):
        block = audio[start : start + 480]
        for detection in detector.push(block):
            times_s.append(detection.time_s)
            keeper.fire(detection)
        keeper.hear(block)
    keeper.close()
    return times_s


def files_below(folder: Path) -> set[Path]:
    return {p for p in folder.rglob("*") if p.is_file()}


def test_switched_off_nothing_is_written_and_nothing_leaves(
    soundcard: SoundCard,
    spoken: Path,
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    for name in ("config", "data", "cache", "tmp"):
        (home / name).mkdir(parents=True)
    environment = {
        **os.environ,
        **soundcard.variables,
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        **{f"XDG_{n.upper()}_HOME": str(home / n) for n in ("config", "data", "cache")},
    }
    sounds = files_below(soundcard.folder)
    listening = Listening(environment, "--json")
    play_until(soundcard, spoken, lambda: listening.output)
    # Everything that the process holds open: no file for writing, no socket of the network.
    inodes, written = set(), []
    for entry in Path(f"/proc/{listening.process.pid}/fd").iterdir():
        target = str(entry.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
        elif target.startswith("/") and not target.startswith(("/dev/", "/proc/")):
            written.append(target)
    network = ""
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        network += Path(f"/proc/{listening.process.pid}/net/{kind}").read_text()
    rows = [line.split() for line in network.splitlines() if ":" in line]
    assert not inodes & {row[9] for row in rows if len(row) > 9}, "a connection to the network"
    assert listening.end() == 0
    assert files_below(home) == set(), "something was written"
    assert not [w for w in written if w.startswith(str(tmp_path))]
    assert files_below(soundcard.folder) <= sounds | {soundcard.folder / "log"}


@pytest.fixture
def kept(tmp_path: Path, recording: np.ndarray) -> Iterator[tuple[ClipStore, list[float]]]:
    """The demo's minute, heard with every wake and near miss kept."""
    spec = ClipsSpec(keep=("wake", "near_miss"), folder=str(tmp_path / "clips"), near=0.3)
    detector = Detector.load(NAME, threshold=0.5)
    keeper = ClipKeeper(spec, detector, pytest.fail)
    yield keeper.store, hear(keeper, detector, recording)


def test_every_wake_is_kept_with_the_audio_around_it(
    kept: tuple[ClipStore, list[float]], recording: np.ndarray
) -> None:
    store, times_s = kept
    wakes = [c for c in store.clips() if c.kind == "wake"]
    assert times_s and len(wakes) == len(times_s)
    for clip, time_s in zip(wakes, times_s, strict=True):
        samples = read_file(store.audio(clip))
        assert clip.phrase == "Robert turn on" and 0.5 <= clip.score <= 1
        assert len(samples) / SAMPLE_RATE == pytest.approx(min(3.0, time_s + 0.5), abs=0.04)
        # Blocks of 30 ms: it ends at one of their ends, near 0.5 s after the detection.
        ends = [round(time_s * SAMPLE_RATE) + 480 * n for n in range(14, 20)]
        assert any(np.array_equal(samples, recording[e - len(samples) : e]) for e in ends)


def test_near_misses_are_kept_and_are_no_wakes(tmp_path: Path, recording: np.ndarray) -> None:
    scores = []
    Detector.load(NAME, trace=lambda unit, bundle, score: scores.append(score)).push(recording)
    # Just above the best score of the minute: nothing fires, and something was near.
    threshold = min(1.0, max(scores) + 0.01)
    spec = ClipsSpec(keep=("near_miss",), folder=str(tmp_path / "clips"), near=0.3)
    detector = Detector.load(NAME, threshold=threshold)
    keeper = ClipKeeper(spec, detector, pytest.fail)
    assert hear(keeper, detector, recording) == []
    found = keeper.store.clips()
    assert found and {c.kind for c in found} == {"near_miss"}
    assert all(threshold - 0.3 <= c.score < threshold for c in found)


def test_clips_are_for_their_owner_s_eyes_only(kept: tuple[ClipStore, list[float]]) -> None:
    store, _ = kept
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in store.folder.iterdir()} == {0o600}


def test_the_oldest_go_when_the_cap_is_reached(tmp_path: Path) -> None:
    store = ClipStore(tmp_path)
    noise = np.random.default_rng(0).integers(-9000, 9000, SAMPLE_RATE).astype(np.int16)
    for number in range(5):
        store.add(replace(CLIP, id=f"clip{number}"), noise)
        for path in tmp_path.glob(f"clip{number}.*"):
            os.utime(path, (number * 86_400, number * 86_400))
    one_mb = store.megabytes() / 5
    assert store.keep_within(max_mb=3.5 * one_mb, max_days=1e6, now_s=0) == 2
    assert [c.id for c in store.clips()] == ["clip2", "clip3", "clip4"]
    assert store.keep_within(max_mb=1e6, max_days=1.5, now_s=5 * 86_400) == 2
    assert [c.id for c in store.clips()] == ["clip4"]
    assert len(list(tmp_path.iterdir())) == 2, "audio was left behind"


def test_a_full_disk_is_told_and_listening_goes_on(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    told: list[str] = []
    spec = ClipsSpec(keep=("wake",), folder=str(blocked / "clips"))
    detector = Detector.load(NAME, threshold=0.0, gate=False)
    keeper = ClipKeeper(spec, detector, told.append)
    assert hear(keeper, detector, np.zeros(2 * SAMPLE_RATE, np.int16))
    assert len(told) == 1 and "was not kept" in told[0]


def clips(store: ClipStore, tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    config = tmp_path / "clips.toml"
    config.write_text(f'[clips]\nfolder = "{store.folder}"\n')
    return subprocess.run(
        [sys.executable, "-m", "wakeword.cli", "clips", "--config", str(config), *words],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_labelled_clips_become_a_dataset_for_training_and_erased_ones_are_gone(
    kept: tuple[ClipStore, list[float]], tmp_path: Path
) -> None:
    store, _ = kept
    done = clips(store, tmp_path, "list", "--json")
    ids = [json.loads(line)["id"] for line in done.stdout.splitlines()]
    assert ids == [c.id for c in store.clips()] and len(ids) >= 3
    refused = clips(store, tmp_path, "export", str(tmp_path / "none"))
    assert refused.returncode == 1 and "has a label yet" in refused.stderr
    assert clips(store, tmp_path, "label", "true", ids[0]).returncode == 0
    assert clips(store, tmp_path, "label", "false", ids[1], ids[2]).returncode == 0
    assert clips(store, tmp_path, "export", str(tmp_path / "dataset")).returncode == 0
    dataset = Dataset.open(tmp_path / "dataset")
    assert dataset.damage() == [] and dataset.info.phrases == ("Robert turn on",)
    found = {c.id: c for c in dataset.clips()}
    assert {i: found[i].label for i in ids[:3]} == {
        ids[0]: "positive", ids[1]: "negative", ids[2]: "negative",
    }  # fmt: skip
    assert len(found) == 3 and not any(c.commercial_use for c in found.values())
    assert np.array_equal(
        read_file(dataset.path(found[ids[0]])), read_file(store.audio(store.get(ids[0])))
    )
    assert clips(store, tmp_path, "erase", ids[0]).returncode == 0
    assert not store.audio(replace(CLIP, id=ids[0])).exists()
    with pytest.raises(WakewordError, match="no clip"):
        store.get(ids[0])
    assert clips(store, tmp_path, "erase").returncode == 2
    assert clips(store, tmp_path, "erase", "--all").returncode == 0
    assert list(store.folder.iterdir()) == []
