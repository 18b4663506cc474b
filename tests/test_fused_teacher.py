"""A teacher with both ears says what the device's fused score says, step by step."""

from __future__ import annotations

import numpy as np
import pytest

from training.distil import MeanTeacher
from training.fused_teacher import FusedTeacher
from wakeword.phrase import Fusion, PhraseSpec, SecondEar

SYMBOLS = ("_", "A", "B", "C", "D")
N_STEPS = 24
SPEC = PhraseSpec(
    symbols=SYMBOLS,
    pronunciations=(tuple("ABA"), tuple("ACCA")),
    competitors=(tuple("ABD"), tuple("BB"), tuple("CABC")),
    window_steps=N_STEPS,
    hold_steps=4,
    floor=0.25,
    fusion=Fusion(0.3, 0.6, 0.5, 0.2),
)


class Says:
    """A network that says the same logits whatever it hears, for as many rows as it is given."""

    def __init__(self, logits: np.ndarray):
        self.logits = logits

    def predict_on_batch(self, frames: np.ndarray) -> np.ndarray:
        return self.logits[frames[:, 0, 0].astype(int)]


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Frames whose first value is the number of their row."""
    frames = np.zeros((6, N_STEPS * 3, 40), np.float32)
    frames[:, :, 0] = np.arange(6)[:, np.newaxis]
    return frames


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_it_says_what_the_device_would(temperature: float, rows: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    wake = rng.normal(0, 3, (6, N_STEPS, 1)).astype(np.float32)
    wake[2] = -5.0  # a window in which the second ear is never asked
    raw = rng.integers(60, 200, (6, N_STEPS, len(SYMBOLS))).astype(np.uint8)
    scale = 0.05
    phones = raw.astype(np.float32) * scale
    teacher = FusedTeacher(MeanTeacher([Says(wake)]), Says(phones), SPEC, temperature)
    logits = teacher.predict_on_batch(rows)[:, :, 0].astype(np.float64)
    said = 1 / (1 + np.exp(-logits / temperature))

    ear, asked = SecondEar(SPEC, scale), 0
    for row in range(6):
        ear.reset()
        for step in range(N_STEPS):
            ear.push(raw[row, step])
            score = 1 / (1 + np.exp(-float(wake[row, step, 0]) / temperature))
            if score < SPEC.floor:
                assert said[row, step] == pytest.approx(score)
            else:
                asked += 1
                assert said[row, step] == pytest.approx(ear.fused(score), abs=1e-4)
    assert asked > 20


def test_a_mean_teacher_says_the_mean_logit(rows: np.ndarray) -> None:
    rng = np.random.default_rng(6)
    one, other = rng.normal(size=(2, 6, N_STEPS, 1)).astype(np.float32)
    said = MeanTeacher([Says(one), Says(other)]).predict_on_batch(rows)
    np.testing.assert_allclose(said, (one + other) / 2, atol=1e-6)
