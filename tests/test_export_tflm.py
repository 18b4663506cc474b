"""The tflm export carries the bundle's model, exactly its operators, and an honest golden test."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from c_library import program

from firmware_export import golden, tflm
from firmware_export.model import Model
from wakeword.bundle import Bundle


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load(Bundle.load("robert_turn_on")).wake_alone()  # as it is exported


@pytest.fixture(scope="module")
def vectors(model: Model) -> golden.Golden:
    return golden.make([model], golden.default_audio())


@pytest.fixture(scope="module")
def export(model: Model, vectors: golden.Golden) -> dict[str, bytes]:
    return tflm.files(model, vectors)


def test_the_array_compiles_to_the_bundles_bytes(
    tmp_path: Path, export: dict[str, bytes], model: Model
) -> None:
    compiler = program("g++", "g++")
    source = export["src/wakeword_model.cc"].decode()
    # the array alone: the header needs TensorFlow Lite Micro
    (tmp_path / "model.cc").write_text(
        source.replace('#include "wakeword_model.h"', "#include <cstdio>")
        + "int main() { return std::fwrite(g_wakeword_model, 1, g_wakeword_model_len, stdout) "
        "!= g_wakeword_model_len; }\n"
    )
    subprocess.run(
        [compiler, "-std=c++17", "-Wall", "-Werror", "-o", tmp_path / "m", tmp_path / "model.cc"],
        check=True,
    )
    done = subprocess.run([tmp_path / "m"], capture_output=True, check=True)
    assert done.stdout == model.bundle.model


def test_exactly_the_models_operators_are_registered(
    export: dict[str, bytes], model: Model
) -> None:
    header = export["src/wakeword_model.h"].decode()
    registered = re.findall(r"resolver\.Add(\w+)\(\)", header)
    names = {tflm._REGISTER[op.name] for op in model.graph.ops}
    assert set(registered) == names and len(registered) == len(names)
    assert f"MicroMutableOpResolver<{len(names)}>" in header


def test_tflm_runs_the_model_within_the_golden_tests_tolerance(
    export: dict[str, bytes], model: Model, vectors: golden.Golden
) -> None:
    pytest.importorskip("tflite_micro")
    found = tflm.distance(model, vectors)
    (tolerance,) = re.findall(r"kTolerance = (\d+)", export["golden/golden_test.cc"].decode())
    assert found.steps == len(vectors.models[0].outputs) > 100
    assert found.largest <= int(tolerance) <= 24


def test_golden_vectors_survive_the_file(vectors: golden.Golden) -> None:
    again = golden.Golden.unpack(vectors.pack(), "test")
    np.testing.assert_array_equal(again.audio, vectors.audio)
    np.testing.assert_array_equal(again.frames, vectors.frames)
    np.testing.assert_array_equal(again.models[0].outputs, vectors.models[0].outputs)
    np.testing.assert_array_equal(again.models[0].detections, vectors.models[0].detections)
    assert len(vectors.models[0].detections), "firing is not compared"


def test_the_golden_format_is_described(export: dict[str, bytes]) -> None:
    text = export["golden/FORMAT.txt"].decode()
    assert "little-endian" in text and "u16 frames" in text and "*" not in text
