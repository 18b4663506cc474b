"""Made-up words: vowels of a harmonic voice, so that a test can teach a phrase in a minute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.signal

from data_tools.clip import Clip
from data_tools.dataset import Dataset, DatasetInfo
from wakeword.audio import SAMPLE_RATE, Float32, to_int16

PHRASE = "ah ee oo"
FORMANTS_HZ = {"ah": (730, 1090), "ee": (270, 2290), "oo": (300, 870), "er": (490, 1350)}
VOWEL_S = 0.22
RECIPE = """
seed = 1
[about]
name = "ah_ee_oo"
phrase = "ah ee oo"
[data]
datasets = ["words"]
validation_share = 0.0
simulated_rooms = 2
[[scenes]]
name = "short"
count = 300
[scenes.spec]
duration_s = 3.0
positives = [0, 1]
negatives = [0, 2]
cold_start = 0.3
snr_db = [5, 25]
warp_share = 0.3
[network]
filters = 24
units = 24
[batch]
size = 32
frames = 210
# Made-up vowels lie close together: a vocal tract much shorter makes one of another.
formant = [0.97, 1.03]
tempo = [0.95, 1.05]
[fit]
steps = 400
check_steps = 100
rise_steps = 40
learning_rate = 6e-3
average_steps = 50
[calibrate]
stream_copies = 1
"""


def say(words: str, f0_hz: float, rng: np.random.Generator, tract: float = 1.0) -> Float32:
    """(n,) float32 of the vowels in ``words``, each 0.22 s, by a voice of that pitch.

    Formants lie ``tract`` times as high.
    """
    n = int(VOWEL_S * SAMPLE_RATE)
    spoken = []
    for vowel in words.split():
        pulses = np.zeros(n, np.float32)
        pulses[:: int(SAMPLE_RATE / (f0_hz * rng.uniform(0.97, 1.03)))] = 1.0
        for formant_hz in FORMANTS_HZ[vowel]:
            radius = np.exp(-np.pi * 90 / SAMPLE_RATE)
            angle = 2 * np.pi * formant_hz * tract * rng.uniform(0.95, 1.05) / SAMPLE_RATE
            pulses = scipy.signal.lfilter([1], [1, -2 * radius * np.cos(angle), radius**2], pulses)
        spoken.append(pulses * np.hanning(n) ** 0.3)
    audio = np.concatenate(spoken)
    return (0.3 * audio / np.abs(audio).max()).astype(np.float32)


def make_dataset(folder: Path, rng: np.random.Generator) -> Dataset:
    """Ten voices that say the phrase and other words; two of them only in test; and some talk."""
    dataset = Dataset.create(folder, DatasetInfo(phrases=(PHRASE,)))
    quiet = np.zeros(3200, np.float32)
    for voice in range(10):
        f0_hz = 90 + 17 * voice
        split = {8: "validation", 9: "test"}.get(voice, "train")
        for number, words in enumerate(
            [PHRASE, PHRASE, "oo ee ah", "ah ee er", "ee oo", "ah ee", "er er oo"]
        ):
            audio = np.concatenate([quiet, say(words, f0_hz, rng), quiet])
            dataset.add(
                to_int16(audio + rng.normal(size=len(audio)).astype(np.float32) * 1e-4),
                Clip(
                    f"{voice}-{number}", "", "positive" if words == PHRASE else "negative",
                    "tts", phrase=PHRASE if words == PHRASE else None, transcript=words,
                    speaker=f"voice{voice}", split=split,
                ),
            )  # fmt: skip
        dataset.add(
            to_int16(babble_of(f0_hz, 8.0, rng)),
            Clip(f"{voice}-talk", "", "negative", "recorded", speaker=f"talker{voice}",
                 split=split),
        )  # fmt: skip
    hiss = rng.normal(size=5 * SAMPLE_RATE).astype(np.float32) * 0.05
    for split in ("train", "test"):
        dataset.add(to_int16(hiss), Clip(f"hiss-{split}", "", "background", "corpus", split=split))
        hiss = -0.5 * hiss
    return dataset


def make_household(folder: Path, takes: int, rng: np.random.Generator) -> Dataset:
    """Two people with short vocal tracts, unlike the ten voices; ``takes`` of the phrase each."""
    dataset = Dataset.create(folder, DatasetInfo(phrases=(PHRASE,)))
    quiet = np.zeros(3200, np.float32)
    for person, (f0_hz, tract) in {"ada": (120, 1.55), "bo": (300, 1.65)}.items():
        for number, words in enumerate([PHRASE] * takes + ["oo ee ah", "ah ee er", "er er oo"]):
            audio = np.concatenate([quiet, say(words, f0_hz, rng, tract), quiet])
            dataset.add(
                to_int16(audio + rng.normal(size=len(audio)).astype(np.float32) * 1e-4),
                Clip(
                    f"{person}-{number}", "", "positive" if words == PHRASE else "negative",
                    "recorded", phrase=PHRASE if words == PHRASE else None, transcript=words,
                    speaker=person,
                ),
            )  # fmt: skip
    return dataset


def babble_of(f0_hz: float, seconds: float, rng: np.random.Generator) -> Float32:
    """(n,) float32 of words in any order but the phrase's."""
    pieces: list[Float32] = []
    vowels = sorted(FORMANTS_HZ)
    while sum(map(len, pieces)) < seconds * SAMPLE_RATE:
        words = " ".join(rng.choice(vowels, 3))
        if words != PHRASE:
            pieces += [say(words, f0_hz, rng), np.zeros(2400, np.float32)]
    return np.concatenate(pieces)
