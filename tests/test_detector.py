"""The detector is the device: what it hears depends on the audio and on nothing else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES, stream_file
from wakeword.bundle import Bundle
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.frontend import FrontEnd
from wakeword.gate import UNIT_S
from wakeword.model import StreamingModel

NAME = "robert_turn_on"


def pushed(detector: Detector, audio: np.ndarray, block_samples: int) -> list[Detection]:
    detections = []
    for start in range(0, len(audio), block_samples):
        detections += detector.push(audio[start : start + block_samples])
    return detections


def traced(audio: np.ndarray, gate: bool) -> dict[int, float]:
    rows: dict[int, float] = {}
    detector = Detector([Bundle.load(NAME)], gate=gate, trace=lambda u, _, s: rows.update({u: s}))
    detector.push(audio)
    return rows


@pytest.fixture(scope="module")
def expected(recording) -> list[Detection]:
    return Detector.load(NAME).push(recording)


def test_hears_every_phrase_of_the_recording_and_nothing_else(expected, said):
    phrases = [s for s in said if s["wake"]]
    assert len(expected) == len(phrases)
    for detection, phrase in zip(expected, phrases, strict=True):
        assert phrase["start_s"] < detection.time_s < phrase["end_s"] + 1.0
        assert detection.name == NAME and detection.phrase == "Robert turn on"
        assert phrase["start_s"] < detection.started_s <= detection.time_s


@pytest.mark.parametrize("block_samples", [160, 480, 1000, 16_000])
def test_the_block_size_changes_nothing(recording, expected, block_samples):
    assert pushed(Detector.load(NAME), recording, block_samples) == expected


def test_nor_does_it_change_any_score_or_when_it_came(recording):
    def rows(block_samples: int) -> list[tuple[int, float, float]]:
        said: list[tuple[int, float, float]] = []
        detector = Detector.load(
            NAME, trace=lambda unit, _, score: said.append((unit, detector.time_s, score))
        )
        pushed(detector, recording, block_samples)
        return said

    each_unit = rows(STEP_SAMPLES)
    assert len(each_unit) > 500
    assert rows(1440) == rows(len(recording)) == each_unit


def test_single_samples_change_nothing(recording, expected):
    audio = recording[: 5 * SAMPLE_RATE]
    heard = [d for d in expected if d.time_s < 5]
    assert heard and pushed(Detector.load(NAME), audio, 1) == heard


def test_reset_is_exact(recording, expected):
    detector = Detector.load(NAME)
    detector.push(recording[: 33 * SAMPLE_RATE + 77])
    detector.reset()
    assert detector.time_s == 0 and detector.push(recording) == expected


def test_an_open_gate_hears_what_an_ungated_detector_hears_from_the_pre_roll_on(recording):
    gated = traced(recording, gate=True)
    pre_roll = round(Bundle.load(NAME).extension.gate.pre_roll_s / UNIT_S)
    first = min(gated)
    # Up to the first gap the gate was open: the same audio from the pre-roll on, ungated.
    last = next(u for u in range(first, 10_000) if u not in gated)
    assert last - first > pre_roll
    audio = recording[first * STEP_SAMPLES : last * STEP_SAMPLES]
    ungated = traced(audio, gate=False)
    assert [gated[u] for u in range(first, last)] == [ungated[u] for u in sorted(ungated)]


def test_several_bundles_hear_what_each_hears_alone(recording, expected, tmp_path):
    bundle = Bundle.load(NAME)
    other = Bundle.create("other", bundle.manifest, bundle.model).save(tmp_path)
    both = Detector.load(NAME, other).push(recording)
    assert [d for d in both if d.name == NAME] == expected
    assert [d.time_s for d in both if d.name == "other"] == [d.time_s for d in expected]


def test_the_phrase_is_heard_as_the_very_first_thing(recording, said):
    for phrase in (s for s in said if s["wake"]):
        audio = recording[round((phrase["start_s"] - 0.02) * SAMPLE_RATE) :][: 3 * SAMPLE_RATE]
        for gate in (True, False):
            assert Detector.load(NAME, gate=gate).push(audio), (phrase, gate)


def quiet_starts(recording, said):
    rng = np.random.default_rng(5)
    n = 2 * SAMPLE_RATE
    yield "digital silence", np.zeros(n)
    for level in (10, 300, 3000, 12_000):
        yield f"white noise {level}", rng.normal(scale=level, size=n)
        yield f"brown noise {level}", np.cumsum(rng.normal(size=n)) * level / 50
    yield "full scale", np.full(n, 32767)
    yield "clicks", np.where(np.arange(n) % 4000 == 0, 30_000, 0)
    yield "hum", 8000 * np.sin(2 * np.pi * 50 * np.arange(n) / SAMPLE_RATE)
    for other in (s for s in said if not s["wake"]):
        for late_s in (0.0, 0.13, 0.4):
            start = round((other["start_s"] + late_s) * SAMPLE_RATE)
            end = min(start + n, round(min([p["start_s"] for p in said if p["wake"]
                      and p["start_s"] > other["start_s"]] or [1e9]) * SAMPLE_RATE))  # fmt: skip
            yield f"{other['text']} +{late_s}", recording[start:end]


def test_nothing_fires_in_the_first_two_seconds_without_the_phrase(recording, said):
    for what, audio in quiet_starts(recording, said):
        audio = np.clip(audio, -32768, 32767).astype(np.int16)
        for gate in (True, False):
            assert not Detector.load(NAME, gate=gate).push(audio), (what, gate)


def test_silence_costs_nothing_but_the_gate():
    detector = Detector.load(NAME)
    detector.push(np.zeros(60 * SAMPLE_RATE, np.int16))
    assert detector.time_s == 60 and detector.open_s == 0 and not detector.gate_open
    assert detector.scores == {NAME: 0.0}


def test_lost_audio_keeps_the_clock_right(recording, expected, said):
    lost_s = 2.1  # a multiple of 30 ms, in the silence before the first phrase
    detector = Detector.load(NAME)
    detector.skip(round(lost_s * SAMPLE_RATE))
    heard = detector.push(recording[round(lost_s * SAMPLE_RATE) :])
    assert [d.time_s for d in heard] == pytest.approx([d.time_s for d in expected], abs=0.1)


def test_never_keeps_the_caller_s_buffer(recording, expected):
    detector, heard = Detector.load(NAME), []
    buffer = np.empty(700, np.int16)
    for start in range(0, len(recording), 700):
        block = recording[start : start + 700]
        buffer[: len(block)] = block
        heard += detector.push(buffer[: len(block)])
        buffer[:] = -1
    assert heard == expected


def test_threshold_and_operating_point_replace_the_bundle_s_own(recording, expected):
    assert Detector.load(NAME, threshold=1.0).push(recording) == []
    assert len(Detector.load(NAME, threshold=0.01).push(recording)) >= len(expected)


def test_float_or_stereo_is_refused_and_not_guessed_at():
    detector = Detector.load(NAME)
    with pytest.raises(TypeError, match="float32; expected int16"):
        detector.push(np.zeros(480, np.float32))
    with pytest.raises(ValueError, match=r"\(480, 2\); expected one channel"):
        detector.push(np.zeros((480, 2), np.int16))


def test_a_model_s_reset_is_exact(recording):
    model = StreamingModel.of(Bundle.load(NAME))
    frames = FrontEnd().push(recording[:160_000])
    steps = frames[: len(frames) // model.stride * model.stride].reshape(-1, model.stride, 40)
    first = [model.step(x) for x in steps]
    model.reset()
    assert [model.step(x) for x in steps] == first and len(set(first)) > 1


def test_no_real_talker_wakes_it_in_the_first_two_seconds(shared_data):
    detector = Detector.load(NAME)
    files = sorted((shared_data / "speech" / "test").glob("*.opus"))
    woken = []
    for path in files:
        detector.reset()
        audio = np.concatenate(list(itertools.islice(stream_file(path), 4)))
        if detector.push(audio[: 2 * SAMPLE_RATE]):
            woken.append(path.name)
    assert len(files) > 300 and not woken
