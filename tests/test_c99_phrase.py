"""The second ear in C: equal sums over paths, a score within a ten-thousandth, equal detections."""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import test_two_ears
from c_library import WARNINGS, Library, program, write
from click.testing import CliRunner
from test_two_ears import EAR

from firmware_export import c99, c_phrase, golden, size
from firmware_export.cli import export
from firmware_export.errors import ExportError
from firmware_export.model import Model
from firmware_export.verify import verify
from wakeword.audio import Int16
from wakeword.bundle import Bundle, Measure, WakeAlone
from wakeword.detector import Detector
from wakeword.phrase import Fusion, PhraseScorer

TOLERANCE = 2**24 / 10_000

network, bundle, talk = test_two_ears.network, test_two_ears.bundle, test_two_ears.talk


@pytest.fixture(scope="module")
def model(bundle: Bundle) -> Model:
    return Model.load(bundle)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Library:
    return Library(tmp_path_factory.mktemp("two_ears"), [model])


def expected_scores(model: Model, audio: Int16) -> np.ndarray:
    return np.array(golden.scores(model, golden.make([model], audio).models[0].outputs))


class _Phrase(ctypes.Structure):
    _fields_ = [
        ("strings", ctypes.c_char_p), ("a_phone", ctypes.c_void_p), ("own", ctypes.c_uint8),
        ("all", ctypes.c_uint8), ("symbols", ctypes.c_uint8), ("window_steps", ctypes.c_uint8),
        ("hold_steps", ctypes.c_uint8), ("output_at", ctypes.c_uint16),
        ("ring_at", ctypes.c_uint16), ("floor", ctypes.c_uint32), ("full", ctypes.c_uint32),
        ("unit", ctypes.c_int32), ("bias", ctypes.c_int32), ("wake", ctypes.c_int32),
        ("phrase", ctypes.c_int32), ("margin", ctypes.c_int32),
    ]  # fmt: skip


@pytest.mark.parametrize("steps", [1, 2, 7, 20, 53])
def test_the_best_paths_sums_are_pythons(library: Library, steps: int) -> None:
    rng = np.random.default_rng(steps)
    raw = rng.integers(0, 256, (steps, len(EAR.symbols)), np.uint8)
    strings = (*EAR.pronunciations, *EAR.competitors, ("R", "R"), ("B",), ("AA", "AA", "B", "B"))
    wanted = PhraseScorer(EAR.symbols, strings, EAR.hold_steps).totals(
        raw[-EAR.window_steps :].astype(np.int32)
    )
    phrase = _Phrase(
        symbols=len(EAR.symbols), window_steps=EAR.window_steps, hold_steps=EAR.hold_steps
    )
    ring = ctypes.create_string_buffer(EAR.window_steps * len(EAR.symbols))
    for number, row in enumerate(raw):
        library._c.ww_phrase_hear(
            ctypes.byref(phrase), ring, ctypes.c_uint32(number), ctypes.c_char_p(row.tobytes())
        )
    for string, total in zip(strings, wanted, strict=True):
        if 2 * len(string) - 1 > c_phrase.states([library.models[0]]):
            continue
        columns = bytes([len(string), *(EAR.symbols.index(p) for p in string)])
        found = library._c.ww_phrase_path(
            ctypes.byref(phrase), ring, ctypes.c_uint32(steps), ctypes.c_char_p(columns)
        )
        assert found == total or max(found, total) <= -(10**8)


def test_the_score_is_pythons_within_a_ten_thousandth(
    library: Library,
    model: Model,
    talk: Int16,
) -> None:
    wanted = expected_scores(model, talk)
    assert np.ptp(wanted) > 0.2, "the scores hardly move; this test shows nothing"
    library.reset()
    found = []
    for at in range(0, len(talk) - 479, 480):
        library.push(talk[at : at + 480])
        found.append(library.score())
    found = found[len(found) - len(wanted) :]
    assert np.abs(np.array(found) - wanted * 2**24).max() < TOLERANCE


@pytest.mark.parametrize(
    "fusion",
    [
        Fusion(bias=-25.0, wake=3.0, phrase=-1.0, margin=2.0),
        Fusion(bias=40.0, wake=-2.0, phrase=7.5, margin=0.0),
    ],
)
def test_other_weights_give_pythons_score_too(
    tmp_path: Path,
    model: Model,
    talk: Int16,
    fusion: Fusion,
) -> None:
    ear = replace(EAR, fusion=fusion, competitors=())
    extension = replace(model.bundle.extension, second_ear=ear)
    manifest = replace(model.bundle.manifest, wakeword=extension)
    other = Model.load(replace(model.bundle, manifest=manifest))
    audio = talk[: 16_000 * 4]
    wanted = expected_scores(other, audio)
    other_library = Library(tmp_path, [other])
    found = []
    for at in range(0, len(audio) - 479, 480):
        other_library.push(audio[at : at + 480])
        found.append(other_library.score())
    found = found[len(found) - len(wanted) :]
    assert np.abs(np.array(found) - wanted * 2**24).max() < TOLERANCE


def test_detections_are_those_of_the_python_decision(
    library: Library,
    model: Model,
    talk: Int16,
) -> None:
    of = golden.make([model], talk).models[0]
    scores = np.sort(golden.scores(model, of.outputs))
    # the middle of the widest gap between scores of the upper half: none grazes the threshold
    upper = scores[len(scores) // 2 :]
    gap = int(np.argmax(np.diff(upper)))
    threshold = round((upper[gap] + upper[gap + 1]) / 2 * 2**24)
    wanted = golden.decide(model, of.outputs, threshold)
    assert len(wanted)
    library.reset()
    library.set_threshold(0, threshold)
    found = np.array([(unit, score, start) for _, score, unit, start in library.push(talk)])
    np.testing.assert_array_equal(found[:, [0, 2]], wanted[:, [0, 2]])
    assert np.abs(found[:, 1] - wanted[:, 1].astype(float)).max() < TOLERANCE


def test_one_eared_and_two_eared_models_share_an_image(
    tmp_path: Path,
    library: Library,
    model: Model,
    talk: Int16,
) -> None:
    audio = talk[: 16_000 * 5]
    both = Library(tmp_path, [Model.load(Bundle.load("robert_turn_on")), model])
    library.reset()
    library.push(audio)
    both.push(audio)
    assert both.score(1) == library.score()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Path:
    folder = tmp_path_factory.mktemp("export")
    measures = tuple(
        Measure("frr", value, 0.0, 1.0, 1, 10, "ten voices") for value in (0.101, 0.404)
    )
    points = tuple(
        replace(p, measures=measures[:1], wake_alone=WakeAlone(0.6, measures[1:]))
        for p in bundle.extension.operating_points
    )
    extension = replace(bundle.extension, operating_points=points)
    measured = replace(bundle, manifest=replace(bundle.manifest, wakeword=extension))
    measured.save(folder)
    return folder / "two_ears.json"


def test_a_two_eared_export_passes_its_own_verify(exported: Path, tmp_path: Path) -> None:
    program("gcc", "gcc libc6-dev")
    made = CliRunner().invoke(export, ["c99", str(exported), "-o", str(tmp_path / "lamp")])
    assert made.exit_code == 0, made.output
    said = CliRunner().invoke(
        export, ["verify", str(tmp_path / "lamp"), "--json"], standalone_mode=False
    )
    rows = json.loads(said.output)["checks"]
    exact = [row for row in rows if "host tool" not in row["what"]]
    assert len(exact) >= 6 and all(row["ok"] for row in exact), rows
    silent = tmp_path / "silence.wav"
    soundfile.write(silent, np.zeros(4_000, np.int16), 16_000)
    arguments = ["c99", str(exported), "-o", str(tmp_path / "still"), "--audio", str(silent)]
    assert CliRunner().invoke(export, arguments).exit_code == 0
    rows = {row.what: row for row in verify(tmp_path / "still")}
    unheard = rows["C: detections two_ears"]
    assert unheard.ok is None and "--audio" in unheard.result
    assert rows["golden detections two_ears, by the Python decision"].ok is None
    assert "ww_phrase.c" in (tmp_path / "lamp/README.md").read_text()


def test_the_second_ears_c_is_clean(tmp_path: Path, model: Model, talk: Int16) -> None:
    made = c99.files([model], golden.make([model], talk[: 16_000 * 4]))
    for name, data in made.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    source, include = tmp_path / "src/ww_phrase.c", f"-I{tmp_path / 'src'}"
    for compiler in ("gcc", "clang"):
        path = program(compiler, compiler)
        subprocess.run([path, *WARNINGS, "-O2", include, "-fsyntax-only", source], check=True)
    subprocess.run(
        [program("cppcheck", "cppcheck"), "--std=c99", "--enable=warning,performance,portability",
         "--error-exitcode=1", "--quiet", include, source], check=True,
    )  # fmt: skip
    test = tmp_path / "golden_test"
    subprocess.run(
        ["gcc", "-std=c99", "-O1", "-g", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all", include, "-o", test, tmp_path / "golden/golden_test.c",
         *(tmp_path / "src").glob("*.c")], check=True,
    )  # fmt: skip
    done = subprocess.run([test, tmp_path / "golden/golden.bin"], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "equal", done.stdout + done.stderr


def test_without_the_phones_the_readme_says_what_that_costs(exported: Path, tmp_path: Path) -> None:
    made = CliRunner().invoke(
        export, ["c99", str(exported), "-o", str(tmp_path / "lamp"), "--heads", "wake"]
    )
    assert made.exit_code == 0, made.output
    assert not (tmp_path / "lamp/src/ww_phrase.c").exists()
    readme = (tmp_path / "lamp/README.md").read_text()
    assert "10.1 % missed (ten voices)" in readme and "40.4 % missed (ten voices)" in readme
    header = (tmp_path / "lamp/src/wakeword_models.h").read_text()
    assert "#define WAKEWORD_RING_BYTES 0" in header
    assert f"#define WAKEWORD_TWO_EARS_BALANCED {round(0.6 * 512 + 0.4999)}U" in header


def test_the_struct_is_as_large_as_size_says(tmp_path: Path, model: Model) -> None:
    gcc = program("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi")
    write(tmp_path, [model])
    (tmp_path / "s.c").write_text('#include "wakeword.h"\nchar room[sizeof(wakeword)];\n')
    subprocess.run(
        [gcc, "-mcpu=cortex-m4", "-mthumb", f"-I{tmp_path}", "-c", tmp_path / "s.c", "-o",
         tmp_path / "s.o"], check=True,
    )  # fmt: skip
    named = subprocess.run(
        ["arm-none-eabi-nm", "-S", tmp_path / "s.o"], check=True, capture_output=True, text=True
    ).stdout.split()
    assert abs(int(named[1], 16) - size.ram_bytes([model])) <= 16


def test_a_step_that_asks_the_ear_takes_what_size_says(tmp_path: Path, bundle: Bundle) -> None:
    program("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi")
    program("qemu-system-arm", "qemu-system-arm")
    rng = np.random.default_rng(3)
    strings = tuple(tuple(rng.choice(EAR.symbols[1:], 9)) for _ in range(20))
    ear = replace(EAR, pronunciations=strings[:4], competitors=strings[4:], window_steps=60)
    extension = replace(bundle.extension, second_ear=ear)
    model = Model.load(replace(bundle, manifest=replace(bundle.manifest, wakeword=extension)))
    audio = np.random.default_rng(4).normal(0, 2000, 16_000 * 4).astype(np.int16)
    for name, data in c99.files([model], golden.make([model], audio[:16_000])).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    audio.tofile(tmp_path / "examples/bare_metal/audio.raw")
    table = tmp_path / "src/wakeword_models.c"
    text, most = table.read_text(), []
    for floor in (0, 99_999):  # asked at every step, and never
        table.write_text(re.sub(r"\.floor = \d+", f".floor = {floor}", text))
        said = subprocess.run(
            ["make", "-s", "-B", "-C", tmp_path / "examples/bare_metal", "run"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        most += [int(n) for n in re.findall(r"(\d+) at most", said)]
    predicted = size.ear_instructions(model, size.CORES["dsp"])
    assert most[0] - most[1] == pytest.approx(predicted, rel=0.15), "`export size` is off"


def test_an_ear_of_too_many_steps_is_refused(bundle: Bundle) -> None:
    extension = replace(bundle.extension, second_ear=replace(EAR, window_steps=200))
    long = replace(bundle, manifest=replace(bundle.manifest, wakeword=extension))
    with pytest.raises(ExportError, match="200 steps"):
        Model.load(long)


def test_the_detector_on_a_pi_hears_the_same_phrase_at_the_same_time(
    library: Library,
    bundle: Bundle,
    model: Model,
    talk: Int16,
) -> None:
    wanted = expected_scores(model, talk)
    scores: list[float] = []
    Detector([bundle], gate=False, trace=lambda u, b, score: scores.append(score)).push(talk)
    # TFLite's fast kernels round otherwise; the two scores still go up and down together
    assert np.corrcoef(scores[len(scores) - len(wanted) :], wanted)[0, 1] > 0.9
