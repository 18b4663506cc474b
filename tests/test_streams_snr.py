"""The signal-to-noise ratio of a stream is that of the wake-word benchmark: loudest 32 ms each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_tools.clip import Clip
from training.streams import CONDITIONS, PHRASES, Stream, Surroundings, spoken
from wakeword.audio import to_float32


def loudest_32_ms(samples: np.ndarray) -> float:
    """Power of the loudest of the pieces of 512 samples, one after the other."""
    whole = samples[: len(samples) // 512 * 512].reshape(-1, 512)
    return float((whole**2).mean(axis=1).max())


def mixed(condition: str, clips: list[Clip], noise: list[Clip]) -> Stream:
    around = Surroundings(noise)
    rng = np.random.default_rng(3)
    (stream,) = spoken(PHRASES, "people", clips, CONDITIONS[condition], around, rng)
    return stream


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Two utterances, one ten times as loud as the other."""
    rng = np.random.default_rng(1)
    made = []
    for number, level in enumerate((0.02, 0.2)):
        path = tmp_path / f"said{number}.flac"
        soundfile.write(path, rng.uniform(-1, 1, 12_000) * level, 16_000)
        made.append(Clip(f"said{number}", str(path), "positive", "recorded", speaker="a"))
    return made


@pytest.fixture
def noise(tmp_path: Path) -> list[Clip]:
    """Clatter: quiet, with a burst of 50 ms four times a second, 20 dB louder."""
    rng = np.random.default_rng(2)
    level = np.where(np.arange(64_000) % 4000 < 800, 0.3, 0.03)
    path = tmp_path / "noise.flac"
    soundfile.write(path, rng.normal(size=64_000) * level, 16_000)
    return [Clip("clatter", str(path), "background", "corpus")]


def test_each_utterance_lies_as_far_above_the_noise_under_it_as_the_condition_says(
    clips: list[Clip], noise: list[Clip]
) -> None:
    ten, five = (mixed(name, clips, noise) for name in ("10 dB", "5 dB"))
    assert [t.start_s for t in ten.truths] == [t.start_s for t in five.truths]
    assert {t.snr_db for t in ten.truths} == {10.0} and {t.noise for t in ten.truths} == {"clatter"}
    # The same voice and noise but for the voice's gain: so both are known apart.
    a, b = (to_float32(s.audio).astype(np.float64) for s in (ten, five))
    voice = (a - b) / (10 ** (10 / 20) - 10 ** (5 / 20)) * 10 ** (10 / 20)
    under = a - voice
    for truth in ten.truths:
        middle = round((truth.start_s + truth.end_s) / 2 * 16_000)
        around = np.arange(middle - 16_000, middle + 16_000)
        said = around[np.abs(voice[around]) > 1e-4]
        span = slice(said.min(), said.max() + 1)
        assert span.stop - span.start == pytest.approx(12_000, abs=20)
        ratio_db = 10 * np.log10(loudest_32_ms(voice[span]) / loudest_32_ms(under[span]))
        assert ratio_db == pytest.approx(10.0, abs=0.3)
        mean_db = 10 * np.log10(np.mean(voice[span] ** 2) / np.mean(under[span] ** 2))
        assert abs(mean_db - 10) > 3, "a rule of mean powers would have passed as well"


def test_clean_has_no_noise_but_a_hiss_far_below(clips: list[Clip], noise: list[Clip]) -> None:
    stream = mixed("clean", clips, noise)
    before = to_float32(stream.audio)[: int(stream.truths[0].start_s * 16_000) - 3200]
    assert len(before) > 8000
    assert 0 < float(np.sqrt(np.mean(before**2))) < 10 ** (-70 / 20)
