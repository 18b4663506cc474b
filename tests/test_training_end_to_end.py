"""From a dataset of made-up words to a bundle that the device's detector listens with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_words import FORMANTS_HZ, PHRASE, say

from wakeword.audio import SAMPLE_RATE, to_int16
from wakeword.bundle import Bundle
from wakeword.cli import main
from wakeword.detector import Detector
from wakeword.drift import Reference

pytest.importorskip("tensorflow")


def room(seconds: float, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=int(seconds * SAMPLE_RATE)).astype(np.float32) * 0.002


def times_of(detector: Detector, audio: np.ndarray) -> list[float]:
    return [d.time_s for d in detector.push(to_int16(audio))]


def test_it_hears_the_phrase_from_a_voice_that_it_never_heard(trained: Path) -> None:
    rng = np.random.default_rng(1)
    heard = 0
    for f0_hz in (100, 150, 200, 240):
        said = say(PHRASE, f0_hz, rng)
        audio = np.concatenate([room(2, rng), said, room(1.5, rng)])
        audio += room(len(audio) / SAMPLE_RATE, rng)[: len(audio)]
        times = times_of(Detector.load(trained), audio)
        end_s = 2 + len(said) / SAMPLE_RATE
        heard += len(times) == 1 and end_s - 0.3 <= times[0] <= end_s + 1.0
    assert heard >= 3


def test_it_stays_silent_on_other_words_noise_and_silence(trained: Path) -> None:
    rng = np.random.default_rng(2)
    others = ["oo ee ah", "ah ee", "ee oo", "er er oo", "oo oo"]
    pieces = [np.zeros(SAMPLE_RATE, np.float32), room(1, rng)]
    for words in others:
        pieces += [say(words, 160, rng), room(0.6, rng)]
    assert times_of(Detector.load(trained), np.concatenate(pieces)) == []


def test_after_a_reset_the_phrase_is_heard_as_the_first_sound(trained: Path) -> None:
    rng = np.random.default_rng(3)
    detector = Detector.load(trained)
    heard = 0
    for f0_hz in (110, 140, 170, 200):
        detector.reset()
        heard += len(times_of(detector, np.concatenate([say(PHRASE, f0_hz, rng), room(1, rng)])))
    assert heard >= 3


@pytest.mark.parametrize("sound", ["silence", "noise", "speech"])
def test_nothing_fires_in_the_first_two_seconds_after_a_reset(trained: Path, sound: str) -> None:
    rng = np.random.default_rng(4)
    detector = Detector.load(trained, gate=False)
    vowels = sorted(FORMANTS_HZ)
    for _ in range(10):
        # So short a training does not tell the phrase from two thirds of it.
        words = " ".join(rng.choice(vowels, 9)).replace("ah ee", "ah er").replace("ee oo", "ee er")
        audio = {
            "silence": np.zeros(2 * SAMPLE_RATE, np.float32),
            "noise": room(2, rng) * rng.choice([0.1, 1, 30]),
            "speech": say(words, rng.uniform(100, 240), rng),
        }[sound]
        detector.reset()
        assert times_of(detector, audio[: 2 * SAMPLE_RATE]) == []


def test_the_bundle_says_what_it_learned_from_and_what_was_measured(trained: Path) -> None:
    bundle = Bundle.load(trained)
    extension, reference = bundle.extension, Reference.of([bundle])
    assert reference and sum(reference.score) > 0, "what a device compares its days with"
    assert [p.name for p in extension.operating_points] == ["strict", "balanced", "eager"]
    thresholds = [p.threshold for p in extension.operating_points]
    assert thresholds == sorted(thresholds, reverse=True)
    measured = {m.what for m in extension.operating_points[1].measures}
    assert "frr" in measured
    assert "fa_per_hour" not in measured, "8 seconds of test speech cannot tell a rate"
    assert sum(d.clips for d in extension.data) > 60
    report = json.loads((trained.parent / "evaluation.json").read_text())
    assert "Learning" in (trained.parent / "report.html").read_text()
    balanced = next(p for p in report["points"] if p["name"] == "balanced")
    assert balanced["phrases"]["synthetic voices, clean"]["frr"]["of"] == 2
    assert balanced["speech"]["all"]["fa_per_hour"] is None


def test_the_command_measures_a_bundle_on_streams_as_the_run_did(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    streams = tmp_path / "streams"
    made = ["train", "streams", str(trained.parents[1] / "words"), "-o", str(streams)]
    assert main([*made, "--condition", "clean"]) == 0
    capsys.readouterr()
    assert main(["train", "evaluate", str(trained), str(streams), "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    frr = card["points"][0]["phrases"]["synthetic voices, clean"]["frr"]
    assert (frr["of"], frr["low"]) == (2, 0.0) and frr["high"] > 0.8
    assert main(["train", "evaluate", str(trained), str(streams), "--at-fa-per-hour", "0.5"]) == 1
    assert "cannot tell 0.5 false accepts per hour" in capsys.readouterr().err


def test_a_finished_run_gives_the_same_bundle_again(trained: Path) -> None:
    before = trained.with_suffix(".tflite").read_bytes()
    recipe = trained.parents[1] / "recipe.toml"
    assert main(["train", "run", str(recipe), "--out", str(trained.parent), "--workers", "1",
                 "--mistakes", "0"]) == 0  # fmt: skip
    assert trained.with_suffix(".tflite").read_bytes() == before


def test_a_run_folder_refuses_another_recipe(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = trained.parents[1] / "other.toml"
    other.write_text(
        (trained.parents[1] / "recipe.toml").read_text().replace("seed = 1", "seed = 2")
    )
    assert main(["train", "run", str(other), "--out", str(trained.parent)]) == 1
    assert "another recipe" in capsys.readouterr().err
