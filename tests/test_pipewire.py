"""Listening at a PipeWire sound server, and over the end of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import soundfile
from listening import Listening, play_until
from pipewire import pipewire  # noqa: F401
from releases import audio  # noqa: F401
from soundcard import SoundCard, until


def test_the_phrase_is_heard_through_pipewire_before_and_after_a_restart(
    pipewire: SoundCard, audio: np.ndarray, tmp_path: Path
) -> None:
    spoken = tmp_path / "spoken.wav"
    soundfile.write(spoken, audio, 16_000)
    environment = {**os.environ, **pipewire.variables}
    listening = Listening(environment, "--json", "--threshold", "0.5")
    try:
        play_until(pipewire, spoken, lambda: listening.output)
        pipewire.kill()
        until(lambda: listening.errors)
        pipewire.start()
        before = len(listening.output)
        play_until(pipewire, spoken, lambda: len(listening.output) > before)
        assert listening.end() == 0
    finally:
        listening.process.kill()
    assert "away" in listening.errors[0] and "back" in listening.errors[1]
    times_s = [json.loads(line)["time_s"] for line in listening.output]
    assert times_s == sorted(times_s), "the clock went back"
