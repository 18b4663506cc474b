"""The gradient is that of the network which runs, and tells what the score is made of."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from made_words import PHRASE, say

from training.network import Conv, FloatStream, Head, Network
from training.saliency import _forward, channel_hz, gradient, integrated_gradients, saliency
from wakeword.audio import SAMPLE_RATE, to_int16
from wakeword.bundle import Bundle

JUDGED = slice(6, 9)


@pytest.fixture(scope="module")
def network() -> Network:
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) * 0.3).astype(np.float32)

    convs = (Conv(drawn(5, 40, 8), drawn(8), 3), Conv(drawn(3, 8, 6), drawn(6), 1))
    head = Head("wake", drawn(6, 15), drawn(5, 15), drawn(2, 15), drawn(5, 1), drawn(1))
    return Network(convs, (head,))


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.abs(np.random.default_rng(1).normal(size=(30, 40)) * 2).astype(np.float32)


def logit(network: Network, frames: np.ndarray) -> float:
    return float(_forward(network, network.heads[0], frames[np.newaxis])[0][0, JUDGED].mean())


def test_it_explains_the_network_that_streams(network: Network, frames: np.ndarray) -> None:
    stream = FloatStream(dataclasses.replace(
        network, heads=(dataclasses.replace(network.heads[0], logits=True),)
    ))  # fmt: skip
    steps = [float(stream.step(frames[i : i + 3])["wake"][0]) for i in range(0, 30, 3)]
    whole = _forward(network, network.heads[0], frames[np.newaxis])[0][0]
    np.testing.assert_allclose(whole, steps, atol=1e-5)


def test_the_gradient_is_the_difference_that_a_small_change_makes(
    network: Network, frames: np.ndarray
) -> None:
    found = gradient(network, network.heads[0], frames[np.newaxis], JUDGED)[0]
    assert np.abs(found).max() > 1e-3
    for at in [(0, 0), (5, 3), (14, 20), (20, 39), (26, 7)]:
        more, less = frames.copy(), frames.copy()
        more[at] += 0.02
        less[at] -= 0.02
        expected = (logit(network, more) - logit(network, less)) / 0.04
        assert found[at] == pytest.approx(expected, abs=2e-4)
    assert not found[27:].any(), "what comes after the step that is explained has no part in it"


def test_all_of_it_together_is_what_the_sound_adds_to_silence(
    network: Network, frames: np.ndarray
) -> None:
    effect = integrated_gradients(network, network.heads[0], frames, JUDGED, way=300)
    difference = logit(network, frames) - logit(network, np.zeros_like(frames))
    assert effect.sum() == pytest.approx(difference, abs=0.01)


def test_a_trained_head_owes_its_score_to_the_phrase(trained: Path) -> None:
    from training.float_twin import float_network

    rng = np.random.default_rng(1)
    said = say(PHRASE, 150, rng)
    hiss = rng.normal(size=4 * SAMPLE_RATE).astype(np.float32) * 1e-3
    hiss[2 * SAMPLE_RATE : 2 * SAMPLE_RATE + len(said)] += said
    bundle = Bundle.load(trained)
    found = saliency(float_network(bundle), to_int16(hiss), 2.0, 4)
    start, end, low, high = found.strongest()
    assert found.logit > 0 > found.silence
    assert 1.9 <= start < end <= 2.0 + len(said) / SAMPLE_RATE + 0.2
    assert low < high
    times, effect = found.blocks()
    assert effect.sum() == pytest.approx(float(found.effect.sum()), rel=1e-3)
    inside = (times[:-1] >= 1.9) & (times[:-1] <= found.at_s)
    assert effect[:, inside].clip(0).sum() > 0.8 * effect.clip(0).sum()


def test_channels_lie_where_the_front_end_has_them() -> None:
    from wakeword.frontend import FrontEnd

    for channel in (10, 25, 35):
        hertz = channel_hz()[channel]
        tone = np.sin(2 * np.pi * hertz * np.arange(SAMPLE_RATE) / SAMPLE_RATE) * 0.3
        frames = FrontEnd().push(to_int16(tone.astype(np.float32)))
        assert abs(int(frames[2:40].mean(axis=0).argmax()) - channel) <= 1
