"""One file format, several runtimes: we run microWakeWord's models, pymicro-wakeword runs ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pymicro_wakeword
import pytest
from pymicro_wakeword.microwakeword import MicroWakeWord, MicroWakeWordFeatures

from wakeword.audio import SAMPLE_RATE
from wakeword.bundle import MODELS, Bundle
from wakeword.detector import Detector
from wakeword.gate import UNIT_S

THEIRS = sorted((Path(pymicro_wakeword.__file__).parent / "models").glob("*.json"))
STEP = 1 / 256  # of the uint8 output
SETTLED_S = 2.0  # past the warm-up and the window, which the two fill differently


def their_scores(manifest: Path, audio: np.ndarray) -> np.ndarray:
    """pymicro-wakeword's smoothed score after each 30 ms of audio."""
    features, model = MicroWakeWordFeatures(), MicroWakeWord.from_config(manifest)
    scores, last = [], 0.0
    for start in range(0, len(audio) - 479, 480):
        for frame in features.process_streaming(audio[start : start + 480].tobytes()):
            score = model.process_streaming_prob(frame)
            # It says 0.0 also for "no step yet", so that it is asked for nothing but whole steps.
            last = score if not model._features else last
        scores.append(last)
    return np.array(scores)


def our_scores(manifest: Path, audio: np.ndarray) -> np.ndarray:
    """The same of our detector, without what they have not: a gate and a second ear."""
    scores: list[float] = []
    bundle = Bundle.load(manifest).wake_alone()
    Detector([bundle], gate=False, trace=lambda u, b, score: scores.append(score)).push(audio)
    return np.array(scores)


@pytest.fixture(scope="module")
def audio(recording: np.ndarray) -> np.ndarray:
    """Part of the kitchen, after it at half speed: odd enough to move every model's score."""
    part = recording[: 40 * SAMPLE_RATE]
    slow = np.interp(np.arange(0, len(part) - 1, 0.5), np.arange(len(part)), part)
    return np.concatenate((slow.astype(np.int16), part))


@pytest.mark.parametrize(
    "manifest", [*THEIRS, MODELS / "robert_turn_on.json"], ids=lambda path: path.stem
)
def test_a_model_scores_the_same_here_and_in_pymicro_wakeword(
    manifest: Path, audio: np.ndarray
) -> None:
    theirs, ours = their_scores(manifest, audio), our_scores(manifest, audio)
    assert len(theirs) == len(ours)
    settled = round(SETTLED_S / UNIT_S)
    assert ours[settled:].max() > 0, "the model is moved by nothing; this test shows nothing"
    assert np.abs(theirs - ours)[settled:].max() < 2 * STEP
