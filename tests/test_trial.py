"""A release's first hour: taken over while listening, watched, and rolled back when it is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from releases import (  # noqa: F401
    KEY,
    NAME,
    SAMPLE_RATE,
    audio,
    bundle,
    config,
    newer,
    release,
    saved,
    signed_again,
)

from wakeword.config import Config
from wakeword.detector import Detector
from wakeword.installed import Installed
from wakeword.trial import Trials, begin
from wakeword.update import take


class Home:
    """A listener with an update folder, and what it has said."""

    def __init__(self, config: Config):
        self.config, self.said = config, list[str]()
        self.start()

    def start(self) -> None:
        models = begin(self.config.update, self.config.detector.models, self.said.append)
        self.detector = Detector.load(*models)
        self.trials = Trials(
            self.config.update, self.config.detector.models, self.detector, self.said.append, 0.0
        )

    def hear(self, audio: np.ndarray) -> None:
        for block in np.array_split(audio, max(1, len(audio) // SAMPLE_RATE)):
            for detection in self.detector.push(block):
                self.trials.fire(detection)
            self.trials.tend()

    @property
    def threshold(self) -> float:
        return self.detector.thresholds[NAME]

    @property
    def installed(self) -> Installed:
        return self.config.update.of(NAME)


def test_a_release_is_taken_over_while_listening_and_kept_after_its_hour(
    config: Config, tmp_path: Path, release: bytes, audio: np.ndarray
) -> None:
    home = Home(config)
    home.hear(audio)
    heard_s = home.detector.time_s
    take(config, saved(tmp_path, release))
    home.hear(np.concatenate((np.zeros(SAMPLE_RATE, np.int16), audio)))
    assert home.threshold == 0.5 and home.detector.time_s > heard_s
    assert home.said == ["robert_turn_on: release 100 installed",
                         "the models were replaced; the new ones are listening"]  # fmt: skip
    for _ in range(61):
        home.hear(np.zeros(60 * SAMPLE_RATE, np.int16))
    state = home.installed.state()
    assert not state.on_trial and state.wakes >= 1
    assert home.said[2].startswith("robert_turn_on: release 100 kept after its first hour")


def test_a_release_that_wakes_too_often_is_rolled_back(
    config: Config, tmp_path: Path, release: bytes, audio: np.ndarray
) -> None:
    home = Home(config)
    before = home.threshold
    take(config, saved(tmp_path, signed_again(release, {"most_wakes_per_hour": 2.0})))
    for _ in range(4):
        home.hear(audio)
    home.trials.tend()
    assert home.threshold == before
    assert "rolled back to the configuration's own bundle: 3 wakes in 0 minutes" in home.said[2]


class Stuck(Detector):
    """Its networks run, and their scores stand still."""

    scores = property(lambda self: {NAME: 0.0})  # type: ignore[assignment]


def test_a_release_that_gives_no_score_is_rolled_back(
    config: Config, tmp_path: Path, release: bytes, audio: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("wakeword.trial.DEAF_S", 3.0)
    home = Home(config)
    home.detector.__class__ = Stuck
    take(config, saved(tmp_path, release))
    for _ in range(3):
        home.hear(audio)
    assert any("its score stood still" in line for line in home.said)
    assert home.installed.state().current == 0 and home.threshold != 0.5


def test_a_release_that_crashes_the_listener_is_rolled_back(
    config: Config, tmp_path: Path, release: bytes
) -> None:
    take(config, saved(tmp_path, release))
    home = Home(config)
    home.trials.ended()  # an orderly end does not count
    for _ in range(2):
        home.start()
        assert home.threshold == 0.5
    home.start()
    assert home.threshold != 0.5
    assert "listening ended 2 times by itself" in home.said[-1]


def test_an_installed_release_that_does_not_load_is_rolled_back(
    config: Config, tmp_path: Path, release: bytes, audio: np.ndarray
) -> None:
    take(config, saved(tmp_path, release))
    path = config.update.of(NAME).bundle_path()
    assert path
    path.with_suffix(".tflite").write_bytes(b"rubbish")
    home = Home(config)
    assert home.threshold != 0.5 and "rolled back" in home.said[0]


def test_the_last_good_release_is_kept_and_older_ones_are_not(
    config: Config, tmp_path: Path, release: bytes
) -> None:
    installed = config.update.of(NAME)
    for serial in (101, 102, 103):
        take(config, saved(tmp_path, signed_again(release, {"serial": serial})))
        installed.keep()
    assert sorted(p.name for p in installed.folder.iterdir() if p.is_dir()) == ["102", "103"]
    take(config, saved(tmp_path, signed_again(release, {"serial": 104})))
    assert installed.roll_back("test").current == 103
