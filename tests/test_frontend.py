"""The front end is pymicro-features, and nothing but it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymicro_features import MicroFrontend

from wakeword.frontend import FrontEnd, dequantize, quantize


def by_hand(audio: np.ndarray) -> np.ndarray:
    library, frames, data = MicroFrontend(), [], audio.tobytes()
    for i in range(0, len(data) - 319, 320):
        features = library.process_samples(data[i : i + 320]).features
        if features:
            frames.append(features)
    return np.array(frames, np.float32)


def test_equals_the_library_fed_by_hand(recording):
    assert np.array_equal(FrontEnd().push(recording[:160_000]), by_hand(recording[:160_000]))


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 4000), max_size=12))
def test_frames_do_not_depend_on_the_block_size(cuts):
    audio = np.random.default_rng(1).normal(scale=900, size=4000).astype(np.int16)
    front_end = FrontEnd()
    parts = np.split(audio, sorted(cuts))
    frames = np.concatenate([front_end.push(part) for part in parts])
    assert np.array_equal(frames, by_hand(audio))


def test_first_frame_comes_with_the_480th_sample_then_one_every_160():
    front_end = FrontEnd()
    audio = np.ones(1, np.int16)
    counts = [len(front_end.push(audio)) for _ in range(960)]
    assert [i + 1 for i, n in enumerate(counts) if n] == [480, 640, 800, 960]


def test_reset_forgets_everything(recording):
    front_end = FrontEnd()
    front_end.push(recording[:50_001])
    front_end.reset()
    assert np.array_equal(front_end.push(recording[:16_000]), by_hand(recording[:16_000]))


def test_quantize_is_esphomes_integer_formula_for_every_raw_value():
    raw = np.arange(701)
    frames = np.repeat((raw / 25.6).astype(np.float32)[:, None], 40, axis=1)
    expected = [min((int(r) * 256 + 333) // 666 - 128, 127) for r in raw]
    assert np.array_equal(quantize(frames)[:, 0], expected)


def test_dequantize_undoes_quantize_to_half_a_step(recording):
    frames = FrontEnd().push(recording[:160_000])
    step = 666 / 256 / 25.6
    assert np.abs(dequantize(quantize(frames)) - frames).max() <= step / 2 + 1e-5


@pytest.mark.parametrize(
    "audio", [np.zeros(16_000), np.full(16_000, 32767), np.full(16_000, -32768)]
)
def test_extremes_stay_in_the_network_s_range(audio):
    frames = FrontEnd().push(audio.astype(np.int16))
    assert len(frames) == 98 and np.isfinite(frames).all()
    assert frames.min() >= 0 and quantize(frames).max() <= 127
