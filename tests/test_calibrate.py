"""Calibration in a room: the threshold moves as far as takes and background ask for, no further."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from soundcard import LIMIT_S, SoundCard, soundcard  # noqa: F401

from wakeword.bundle import Bundle, OperatingPoint
from wakeword.calibrate import _background
from wakeword.calibration import (
    Calibrations,
    fit_threshold,
    most_likely_count,
    most_likely_share,
    peak,
    scores,
)
from wakeword.cli import main
from wakeword.config import Config, DetectorSpec
from wakeword.errors import WakewordError
from wakeword.microphone import Microphone

NAME = "robert_turn_on"
SAMPLE_RATE = 16_000
MINUTE = 2000  # units


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Its threshold is 0.6, its eager point 0.4."""
    bundle = Bundle.load(NAME)
    extension = bundle.manifest.wakeword
    assert extension
    extension = replace(extension, operating_points=(OperatingPoint("eager", 0.4),))
    micro = replace(bundle.manifest.micro, probability_cutoff=0.6)
    manifest = replace(bundle.manifest, micro=micro, wakeword=extension)
    return replace(bundle, manifest=manifest)


@pytest.mark.parametrize(
    ("peaks", "loudest", "threshold", "missed"),
    [
        ([0.9, 0.8], 0.1, 0.6, 0),  # the room does not ask for another
        ([0.9, 0.5], 0.1, 0.48, 0),  # a faint take
        ([0.9, 0.8], 0.7, 0.72, 0),  # a loud television
        ([0.9, 0.5], 0.7, 0.72, 1),  # both: the television decides
        ([0.9, 0.1], 0.1, 0.4, 1),  # not under the eager point
    ],
)
def test_the_threshold_moves_as_far_as_the_room_asks(
    bundle: Bundle, peaks: list[float], loudest: float, threshold: float, missed: int
) -> None:
    background = np.zeros(10 * MINUTE)
    background[500:505] = loudest
    made = fit_threshold(bundle, peaks, background, "2026-11-24")
    assert made.threshold == pytest.approx(threshold) and made.missed == missed
    assert made.false_accepts == 0 and made.background_s == 600


def test_the_bounds_are_the_textbooks() -> None:
    assert most_likely_share(0, 10) == pytest.approx(0.3085, abs=1e-4)  # Clopper-Pearson
    assert most_likely_share(3, 10) == pytest.approx(0.6525, abs=1e-4)
    assert most_likely_share(10, 10) == 1.0
    assert most_likely_count(0) == pytest.approx(3.689, abs=1e-3)  # Garwood
    assert most_likely_count(4) == pytest.approx(10.242, abs=1e-3)


def test_takes_score_as_the_detector_hears_them(
    bundle: Bundle, recording: np.ndarray, said: list[dict]
) -> None:
    first = next(s for s in said if s["wake"])
    take = recording[round((first["start_s"] - 1) * SAMPLE_RATE) :][: 3 * SAMPLE_RATE]
    assert peak(bundle, take) > 0.6 > scores(bundle, recording[: SAMPLE_RATE // 2]).max()


@pytest.fixture
def files(tmp_path: Path, recording: np.ndarray, said: list[dict]) -> list[str]:
    """Options with three takes and a minute and a half of hiss."""
    options = []
    for number, one in enumerate([s for s in said if s["wake"]][:3]):
        start = round((one["start_s"] - 0.5) * SAMPLE_RATE)
        path = tmp_path / f"take{number}.wav"
        soundfile.write(path, recording[start : start + 3 * SAMPLE_RATE], SAMPLE_RATE)
        options += ["--takes", str(path)]
    hiss = np.random.default_rng(0).normal(0, 100, 90 * SAMPLE_RATE).astype(np.int16)
    soundfile.write(tmp_path / "room.wav", hiss, SAMPLE_RATE)
    return [*options, "--background", str(tmp_path / "room.wav")]


def test_what_was_found_is_used_by_listening_and_told_and_forgotten(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "etc"))
    before = Bundle.load(NAME)
    assert main(["calibrate", *files]) == 0
    told = capsys.readouterr().out
    assert "of 3 takes" in told and "1.5 minutes of background" in told
    path = tmp_path / "etc" / "wakeword" / "calibration.json"
    made = Calibrations.load(path).bundles[NAME]
    made = replace(made, threshold=0.55)
    Calibrations({NAME: made}).save(path)

    said: list[str] = []
    assert DetectorSpec().load(said.append).thresholds == {NAME: 0.55}
    assert "threshold 0.55 as calibrated in this room" in said[0]
    strict = DetectorSpec(sensitivity="strict").load(said.append).thresholds[NAME]
    assert strict == before.threshold("strict") and len(said) == 1
    assert DetectorSpec(threshold=0.9).load().thresholds == {NAME: 0.9}

    Calibrations({NAME: replace(made, model_sha256="0" * 64)}).save(path)
    assert DetectorSpec().load(said.append).thresholds == {NAME: before.threshold()}
    assert "for another model" in said[1]
    assert main(["calibrate", "--forget"]) == 0
    assert Calibrations.load(path) == Calibrations()
    assert Bundle.load(NAME) == before


def test_too_short_a_background_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "etc"))
    take = files[1]
    assert main(["calibrate", "--takes", take, "--background", take]) == 1
    assert "3 s of background" in capsys.readouterr().err
    assert not (tmp_path / "etc").exists()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text('{"robert_turn_on": {"threshold": 2}}')
    with pytest.raises(WakewordError, match=r"calibration\.json"):
        Config(detector=DetectorSpec(calibration=str(path))).detector.load()


def test_takes_are_heard_at_the_microphone(
    tmp_path: Path,
    soundcard: SoundCard,
    files: list[str],
) -> None:
    """Three takes at a real PortAudio device; the television comes from a file."""
    environment = {**os.environ, **soundcard.variables, "XDG_CONFIG_HOME": str(tmp_path / "etc")}
    player = soundcard.play(Path(files[1]))
    process = subprocess.Popen(
        [sys.executable, "-m", "wakeword.cli", "calibrate", "--count", "3", "--json", *files[6:]],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr and process.stdout
    for line in process.stderr:
        if line.strip().endswith("now"):
            player.wait(LIMIT_S)
            player = soundcard.play(Path(files[1]))
    made = json.loads(process.stdout.read())
    assert process.wait(LIMIT_S) == 0
    player.wait(LIMIT_S)
    assert made["takes"] == 3 and made["missed"] == 0


def test_the_television_is_listened_to_and_each_piece_is_told(
    soundcard: SoundCard,
    files: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Real talk from the speaker, the phrase by mistake, and a television that is off."""
    for name, value in soundcard.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("wakeword.calibrate.PIECE_S", 3.0)
    bundle, said = Bundle.load(NAME), list[str]()
    with Microphone() as microphone:
        silence = _background(microphone, bundle, 0.05, said.append)
        assert "is the television on" in said[-1] and not silence.any()
        player = soundcard.play(Path(files[1]))
        heard = _background(microphone, bundle, 0.1, said.append)
        assert player.wait(LIMIT_S) == 0
    assert len(silence) == 3 * 16_000 and len(heard) == 6 * 16_000
    assert "0:03 to go" in said[-2] and "0:00 to go" in said[-1]
    assert any("did somebody say the phrase" in line for line in said[-2:]), said
