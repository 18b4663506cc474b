"""The C detector decides as the Python one: same phrase, same time, whatever the blocks."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from c_library import Library

from firmware_export import golden
from firmware_export.model import Model
from wakeword.audio import Int16
from wakeword.bundle import Bundle
from wakeword.detector import Detector


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load(Bundle.load("robert_turn_on")).wake_alone()  # two ears: test_c99_phrase.py


@pytest.fixture(scope="module")
def bundle(model: Model) -> Bundle:
    return model.bundle


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Library:
    return Library(tmp_path_factory.mktemp("c99"), [model])


def expected(model: Model, audio: Int16, threshold: int) -> list[tuple[int, int, int, int]]:
    """By the device's own decision on TFLite's reference kernels."""
    (of,) = golden.make([model], audio).models
    found = golden.decide(model, of.outputs, threshold)
    return [(0, int(score), int(unit), int(started)) for unit, score, started in found]


def lively_threshold(model: Model, audio: Int16) -> int:
    """Low enough for many detections: firing, re-arming and the refractory time all happen."""
    (of,) = golden.make([model], audio).models
    wake = of.outputs[:, model.output_at("wake")]
    sums = np.convolve(wake, np.ones(model.window, int))
    return int(np.percentile(sums, 85))


def test_detections_are_those_of_the_python_decision(
    library: Library, model: Model, recording: Int16
) -> None:
    threshold = lively_threshold(model, recording)
    wanted = expected(model, recording, threshold)
    assert len(wanted) > 5
    library.reset()
    library.set_threshold(0, threshold)
    assert library.push(recording[: len(recording) // 480 * 480]) == wanted


def test_detections_are_those_of_the_whole_python_detector(
    library: Library, bundle: Bundle, model: Model, recording: Int16
) -> None:
    # between two possible sums, so that no kernel's last bit can tip the scale at the threshold
    threshold = lively_threshold(model, recording)
    score = (threshold - 0.5) / 256 / model.window
    device = Detector([bundle], gate=False, threshold=score).push(recording)
    library.reset()
    library.set_threshold(0, threshold)
    ours = library.push(recording)
    assert len(device) > 5
    # The Pi's fast kernels round otherwise than TFLite's reference: a step or two of difference.
    assert len(ours) == pytest.approx(len(device), abs=1 + len(device) // 10)
    times = np.array([d.time_s for d in device])
    near = [np.abs(times - 0.03 * unit).min() <= 0.09 for _, _, unit, _ in ours]
    assert np.mean(near) > 0.8


@pytest.mark.parametrize("block", [1, 480, 333, 100_000])
def test_the_block_size_changes_no_detection(
    library: Library, model: Model, recording: Int16, block: int
) -> None:
    audio = recording[: 10 * 16_000]
    threshold = lively_threshold(model, audio)
    library.reset()
    library.set_threshold(0, threshold)
    found = []
    for at in range(0, len(audio), block):
        found += library.push(audio[at : at + block])
    assert found == expected(model, audio, threshold) != []


def test_reset_forgets_everything(library: Library, model: Model, recording: Int16) -> None:
    audio = recording[: 6 * 16_000]
    library.set_threshold(0, lively_threshold(model, audio))
    library.reset()
    first = library.push(audio)
    library.push(np.full(5000, 32767, np.int16))
    library.reset()
    assert library.push(audio) == first != []


def test_nothing_fires_during_the_warm_up(library: Library, model: Model, recording: Int16) -> None:
    library.reset()
    library.set_threshold(0, 1)
    (first, *_) = library.push(recording[:48_000])
    assert first[2] > model.bundle.extension.warm_up_steps


def test_operating_points_are_the_python_detectors(bundle: Bundle, model: Model) -> None:
    for point in bundle.extension.operating_points:
        least = model.least_wake_sum(point.threshold)
        assert least / 256 / model.window >= point.threshold > (least - 1) / 256 / model.window


def test_two_models_in_one_image_hear_as_each_alone(
    tmp_path: Path, library: Library, model: Model, recording: Int16
) -> None:
    audio = recording[: 10 * 16_000]
    peers = pytest.importorskip("pymicro_wakeword")
    other = Model.load(Bundle.load(Path(peers.__file__).parent / "models" / "okay_nabu.json"))
    both = Library(tmp_path, [other, model])
    threshold = lively_threshold(model, audio)
    both.set_threshold(1, threshold)
    found = both.push(audio)
    assert [d[1:] for d in found if d[0] == 1] == [d[1:] for d in expected(model, audio, threshold)]
    assert not [d for d in found if d[0] == 0], "okay_nabu heard its phrase where none was said"


def test_one_model_under_two_names_shares_nothing(tmp_path: Path, model: Model) -> None:
    twin = Model(replace(model.bundle, name="twin"), model.graph)
    both = Library(tmp_path, [model, twin])
    noise = np.random.default_rng(2).normal(0, 3000, 64_000).astype(np.int16)
    for index in (0, 1):
        both.set_threshold(index, 60)
    found = both.push(noise)
    assert [d[1:] for d in found if d[0] == 0] == [d[1:] for d in found if d[0] == 1]


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Library:
    library = Library(tmp_path_factory.mktemp("gated"), [model], ["-DWAKEWORD_GATE=1"])
    library._c.wakeword_outputs.restype = ctypes.POINTER(ctypes.c_uint8)
    return library


def last_output(library: Library) -> int:
    return int(library._c.wakeword_outputs(library.state, ctypes.c_uint8(0))[0])


def test_the_energy_gate_lets_the_network_rest_in_a_quiet_room(gated: Library) -> None:
    quiet = np.random.default_rng(4).normal(0, 20, 16_000 * 5).astype(np.int16)
    gated.reset()
    gated.push(quiet)
    assert last_output(gated) == 0, "the network ran"


def test_the_energy_gate_loses_no_phrase(
    gated: Library, library: Library, model: Model, said: list[dict], recording: Int16
) -> None:
    quiet = np.random.default_rng(4).normal(0, 20, 16_000 * 2)
    phrase = next(s for s in said if s["wake"])
    start, end = (round(phrase[k] * 16_000) for k in ("start_s", "end_s"))
    audio = np.concatenate([quiet, recording[start : end + 8000], quiet]).astype(np.int16)
    sums = np.convolve(
        golden.make([model], audio).models[0].outputs[:, 0], np.ones(model.window, int)
    )
    threshold = int(0.7 * sums.max())
    for each in (library, gated):
        each.reset()
        each.set_threshold(0, threshold)
    heard, heard_gated = library.push(audio), gated.push(audio)
    assert heard and heard_gated
    assert abs(heard[0][2] - heard_gated[0][2]) <= 4
