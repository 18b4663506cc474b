"""Small made-up sources: tones as phrases, so that a test can measure what was mixed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data_tools.clip import Clip
from data_tools.dataset import write_flac
from data_tools.pool import AudioPool
from data_tools.sources import Sources
from wakeword.audio import SAMPLE_RATE, to_int16

POSITIVE_HZ, NEGATIVE_HZ, SPEECH_HZ, NOISE_HZ = 1000, 2000, 500, 3000


def tone(hz: float, seconds: float, amplitude: float = 0.2) -> np.ndarray:
    time_s = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (amplitude * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def tone_sources(folder: Path) -> Sources:
    """Positives 1 kHz, negatives 2 kHz, speech 0.5 kHz, noise 3 kHz, one room."""
    silence = np.zeros(4800, np.float32)
    sounds = [
        *(("positive", POSITIVE_HZ, 0.5 + 0.1 * i) for i in range(3)),
        *(("negative", NEGATIVE_HZ, 0.4 + 0.1 * i) for i in range(3)),
        ("negative", SPEECH_HZ, 8.0),
        ("background", NOISE_HZ, 12.0),
    ]
    clips = []
    for number, (label, hz, seconds) in enumerate(sounds):
        path = folder / f"{number}.flac"
        audio = tone(hz, seconds)
        if seconds < 5:
            audio = np.concatenate([silence, audio, silence])
        write_flac(path, to_int16(audio))
        clips.append(Clip(f"{label}-{number}", str(path), label, "tts", speaker=str(number)))
    click = np.zeros(2000, np.float32)
    click[[10, 900]] = 0.7, 0.1
    write_flac(folder / "room.flac", to_int16(click))
    clips.append(Clip("room", str(folder / "room.flac"), "rir", "corpus"))
    return Sources.sort(AudioPool.build(folder / "cache", clips))
