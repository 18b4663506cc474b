"""The doctor finds what is wrong, and names the cure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from soundcard import SoundCard, soundcard  # noqa: F401

from wakeword.audio import SAMPLE_RATE
from wakeword.doctor import BAD, DOUBTFUL, GOOD, level_finding


def doctor(card: SoundCard, *options: str) -> tuple[int, dict[str, dict[str, str]]]:
    done = subprocess.run(
        [sys.executable, "-m", "wakeword.cli", "doctor", "--json", "--seconds", "1", *options],
        env={**os.environ, **card.variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    return done.returncode, {f["what"]: f for f in map(json.loads, done.stdout.splitlines())}


def test_a_muted_microphone_is_bad_and_everything_else_is_well(
    soundcard: SoundCard,
) -> None:
    status, findings = doctor(soundcard)
    assert status == 1
    assert [w for w, f in findings.items() if f["verdict"] == BAD] == ["level"]
    assert "unmute" in findings["level"]["found"]
    assert "robert_turn_on" in "".join(findings) and "PortAudio" in findings


def test_a_microphone_in_a_living_room_is_well(
    soundcard: SoundCard,
    tmp_path: Path,
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.03, 120 * SAMPLE_RATE)
    soundfile.write(tmp_path / "noise.wav", noise, SAMPLE_RATE)
    player = soundcard.play(tmp_path / "noise.wav")
    try:
        status, findings = doctor(soundcard)
    finally:
        player.kill()
        player.wait()
    assert status == 0 and findings["level"]["verdict"] == GOOD, findings


def test_a_missing_device_and_a_missing_model_are_both_told(
    soundcard: SoundCard,
    tmp_path: Path,
) -> None:
    config = tmp_path / "wakeword.toml"
    config.write_text("[microphone]\ndevice = 'usb'\n[detector]\nmodels = ['nothing']\n")
    status, findings = doctor(soundcard, "--config", str(config))
    assert status == 1
    assert "no such bundle" in findings["model nothing"]["found"]
    assert "'usb'" in findings["microphone"]["found"]


@pytest.mark.parametrize(
    ("amplitude", "verdict", "told"),
    [(0, BAD, "unmute"), (4, DOUBTFUL, "raise"), (1000, GOOD, "dBFS"), (32767, DOUBTFUL, "clips")],
)
def test_the_level_is_judged(amplitude: int, verdict: str, told: str) -> None:
    samples = np.rint(amplitude * np.sin(np.arange(SAMPLE_RATE))).astype(np.int16)
    finding = level_finding(samples)
    assert finding.verdict == verdict and told in finding.found
    assert level_finding(samples[:0]).verdict == BAD
