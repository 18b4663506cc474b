"""A bundle with a second ear: what is exported, what the device makes of it, what others read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_quantize import noise_frames, settled_network

from data_tools.clip import Clip
from training import hearing
from training.both_ears import listen_both
from training.evaluate import listen
from training.network import FloatStream, Network
from training.package import About, DecisionSpec, package
from training.quantize import outputs
from training.stream_folder import write
from training.streams import PHRASES, Stream, Truth
from training.transcripts import SYMBOLS
from wakeword.audio import STEP_SAMPLES
from wakeword.bundle import Bundle, GateSpec, OperatingPoint, WakeAlone
from wakeword.detector import Detector
from wakeword.errors import BundleError
from wakeword.frontend import FrontEnd
from wakeword.model import StreamingModel
from wakeword.phrase import Fusion, PhraseSpec, SecondEar

EAR = PhraseSpec(
    symbols=SYMBOLS,
    pronunciations=(("R", "AA", "B"), ("R", "AO", "B")),
    competitors=(("L", "AA", "B"),),
    window_steps=20,
    hold_steps=6,
    floor=0.05,
    fusion=Fusion(bias=2.0, wake=1.0, phrase=0.3, margin=0.2),
)


def two_headed() -> Network:
    _, network = settled_network("micro")
    rng = np.random.default_rng(2)
    wake = network.heads[0]
    phones = replace(
        wake,
        name="phones",
        dense=rng.normal(size=(len(wake.dense), len(SYMBOLS))).astype(np.float32) * 2,
        dense_bias=rng.normal(size=len(SYMBOLS)).astype(np.float32),
        logits=True,
    )
    return Network(network.convs, (wake, phones))


@pytest.fixture(scope="module")
def network() -> Network:
    return two_headed()


@pytest.fixture(scope="module")
def bundle(network: Network) -> Bundle:
    bundle = package(
        About("two_ears", "rob"), network, noise_frames(30, 1), DecisionSpec(window=2),
        GateSpec(), [], {}, EAR,
    )  # fmt: skip
    points = (
        OperatingPoint("strict", 0.9, wake_alone=WakeAlone(0.8)),
        OperatingPoint("balanced", 0.7, wake_alone=WakeAlone(0.6)),
    )
    extension = replace(bundle.extension, operating_points=points)
    return Bundle.create(bundle.name, replace(bundle.manifest, wakeword=extension), bundle.model)


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    rng = np.random.default_rng(8)
    loud = np.repeat(rng.choice([30, 300, 3000], 40), 4800)
    return (rng.normal(size=len(loud)) * loud).clip(-32768, 32767).astype(np.int16)


def test_the_wake_output_comes_first_for_readers_that_know_one(bundle: Bundle) -> None:
    assert outputs(bundle.model) == ("wake", "phones")
    assert bundle.extension.outputs == ("wake", "phones")


def test_the_phone_head_says_logits_as_the_float_network_does(
    network: Network, bundle: Bundle
) -> None:
    exact, device = FloatStream(network), StreamingModel.of(bundle)
    frames = noise_frames(6, 5)
    errors, spread = [], []
    for i in range(0, 597, 3):
        expected = exact.step(frames[i : i + 3])["phones"]
        device.step(frames[i : i + 3])
        errors.append(np.abs(device.output("phones") - expected).mean())
        spread.append(np.ptp(expected))
    assert np.mean(errors) < 0.03 * np.mean(spread)


def test_the_score_is_that_of_both_ears_worked_out_step_by_step(
    bundle: Bundle, talk: np.ndarray
) -> None:
    scores: list[float] = []
    Detector([bundle], gate=False, trace=lambda u, b, score: scores.append(score)).push(talk)

    model, front_end = StreamingModel.of(bundle), FrontEnd()
    ear = SecondEar(EAR, model.scale("phones"))
    recent, expected, frames, steps = [0.0, 0.0], [], np.empty((0, 40), np.float32), 0
    for start in range(0, len(talk) - STEP_SAMPLES + 1, STEP_SAMPLES):
        frames = np.concatenate((frames, front_end.push(talk[start : start + STEP_SAMPLES])))
        while len(frames) >= 3:
            steps += 1
            probability = model.step(frames[:3])
            frames = frames[3:]
            recent = [recent[1], probability if steps > 10 else 0.0]
            ear.push(model.raw("phones"))
            fused = ear.fused(float(np.mean(recent)))
        expected.append(fused if steps else 0.0)
    assert np.ptp(expected) > 0.2, "the scores hardly move; this test shows nothing"
    np.testing.assert_allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize("gate", [True, False])
def test_one_pass_tells_what_both_ears_say_and_the_wake_head_alone(
    bundle: Bundle, talk: np.ndarray, gate: bool
) -> None:
    stream = Stream("talk", talk)
    both, alone = listen_both(bundle, stream, gate)
    for found, expected in (
        (both, listen(bundle, stream, gate)),
        (alone, listen(bundle.wake_alone(), stream, gate)),
    ):
        np.testing.assert_array_equal(found.trace, expected.trace)
        assert found.open_s == expected.open_s
    assert gate or np.abs(both.trace["score"] - alone.trace["score"]).max() > 0.1


def test_what_the_wake_head_alone_said_is_kept_with_what_both_said(
    bundle: Bundle, talk: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = (Truth(1.0, 2.0, Clip("a", "", "positive", "tts")),)
    streams = write(tmp_path / "s", "rob", {}, [Stream("talk", talk, said, PHRASES)]).streams
    hearing.hear(bundle, streams)
    monkeypatch.setattr(hearing, "in_processes", lambda *_: iter(()))  # nobody listens any more
    (alone,) = hearing.hear(bundle.wake_alone(), streams)
    expected = listen(bundle.wake_alone(), streams[0])
    np.testing.assert_array_equal(alone.trace, expected.trace)


def test_a_reset_forgets_what_the_second_ear_heard(bundle: Bundle, talk: np.ndarray) -> None:
    def heard(detector: Detector) -> list[float]:
        scores: list[float] = []
        detector.trace = lambda u, b, score: scores.append(score)
        detector.push(talk[:48000])
        return scores

    detector = Detector([bundle], gate=False)
    first = heard(detector)
    detector.reset()
    assert heard(detector) == first


def test_thresholds_belong_to_the_ears_that_listen(bundle: Bundle) -> None:
    assert bundle.threshold() == 0.7
    assert bundle.threshold("strict") == 0.9
    alone = bundle.wake_alone()
    assert alone.threshold("strict") == 0.8
    assert alone.extension.second_ear is None
    assert Detector([alone], gate=False).listeners[0].decision.second_ear is None


def test_it_comes_back_from_disk_whole(bundle: Bundle, tmp_path: Path) -> None:
    assert Bundle.load(bundle.save(tmp_path)).manifest == bundle.manifest


def test_an_ear_for_an_output_that_is_not_there_is_refused(bundle: Bundle) -> None:
    extension = replace(bundle.extension, second_ear=replace(EAR, output="syllables"))
    with pytest.raises(BundleError, match="syllables"):
        Bundle.create("x", replace(bundle.manifest, wakeword=extension), bundle.model)


def test_an_ear_with_other_symbols_than_the_head_has_is_refused(bundle: Bundle) -> None:
    ear = replace(EAR, symbols=SYMBOLS[:-1])
    extension = replace(bundle.extension, second_ear=ear)
    other = Bundle.create("x", replace(bundle.manifest, wakeword=extension), bundle.model)
    with pytest.raises(BundleError, match="40"):
        Detector([other])
