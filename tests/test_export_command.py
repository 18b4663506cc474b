"""``wakeword export``: whole folders or none, the same bytes each time, errors in one line."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from c_library import program

from firmware_export.cli import export
from firmware_export.errors import ExportError
from firmware_export.folder import changed_files, read_index
from firmware_export.model import Model
from firmware_export.verify import verify
from wakeword.bundle import Bundle

NAME = "robert_turn_on"


def run(*arguments: str | Path) -> int:
    status = export.main([str(a) for a in arguments], standalone_mode=False)
    return status if isinstance(status, int) else 0


@pytest.fixture(scope="module")
def c99(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "c99"
    assert run("c99", NAME, "-o", folder) == 0
    return folder


def copy_of(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / "copy"))


@pytest.mark.parametrize("target", ["c99", "esphome", "tflm"])
def test_a_fresh_export_verifies(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(target, NAME, "-o", tmp_path / "x") == 0
    assert run("verify", tmp_path / "x") == 0
    assert "DIFFERS" not in capsys.readouterr().out
    assert "Apache License" in (tmp_path / "x/LICENSE").read_text()
    model = Model.load(Bundle.load(NAME))
    kept = model.wake_alone() if target == "tflm" else model
    digest = hashlib.sha256(kept.bundle.model).hexdigest()
    assert read_index(tmp_path / "x")["bundles"] == {NAME: digest}
    assert "@" not in (tmp_path / "x/README.md").read_text().replace("@gmail", "")


@pytest.mark.parametrize("target", ["c99", "esphome", "tflm"])
def test_two_exports_are_byte_for_byte_the_same(target: str, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert run(target, NAME, "-o", tmp_path / name) == 0
    first, second = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")}
        for name in ("first", "second")
    )
    assert first == second


def test_an_existing_folder_is_replaced_only_by_force(c99: Path, tmp_path: Path) -> None:
    folder = copy_of(c99, tmp_path)
    (folder / "old.txt").write_text("from before")
    with pytest.raises(ExportError, match="--force"):
        run("c99", NAME, "-o", folder)
    assert (folder / "old.txt").exists()
    assert run("c99", NAME, "-o", folder, "--force") == 0
    assert not (folder / "old.txt").exists()


def test_force_does_not_remove_what_is_no_export(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    with pytest.raises(ExportError, match="no earlier export"):
        run("esphome", NAME, "-o", tmp_path, "--force")
    assert (tmp_path / "thesis.txt").exists()


def test_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    broken = with_model(tmp_path / "in", Bundle.load(NAME).model[:9000])
    with pytest.raises(ExportError, match="cut short or damaged"):
        run("c99", broken, "-o", tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def with_model(folder: Path, model: bytes, name: str = NAME) -> Path:
    """A bundle whose manifest fits its (perhaps damaged) model's hash."""
    manifest = Bundle.load(NAME).manifest
    return Bundle.create(name, manifest, model).save(folder)


@pytest.mark.parametrize("size", [8, 100, 5_000, 30_000, 65_000])
def test_a_truncated_model_is_told_from_a_whole_one(tmp_path: Path, size: int) -> None:
    with pytest.raises(ExportError, match=f"{NAME}: .*(damaged|not hold|expected|cut short)"):
        model = Model.load(Bundle.load(with_model(tmp_path, Bundle.load(NAME).model[:size])))
        model.program  # noqa: B018


def test_noise_in_the_file_is_an_error_and_no_crash(tmp_path: Path) -> None:
    whole = bytearray(Bundle.load(NAME).model)
    rng = np.random.default_rng(8)
    for turn in range(60):
        damaged = bytearray(whole)
        for at in rng.integers(8, len(damaged) if turn % 2 else 4000, 20):
            damaged[at] = rng.integers(256)
        try:
            model = Model.load(Bundle.load(with_model(tmp_path, bytes(damaged))))
            model.program  # noqa: B018
        except ExportError as error:
            assert "\n" not in str(error)


def tiny(kind: str) -> bytes:
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    layer = keras.layers.Softmax() if kind == "op" else keras.layers.ReLU()
    x = inputs = keras.Input((3, 40), batch_size=1)
    x = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(layer(x)))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(inputs, x))
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [np.random.default_rng(i).uniform(0, 26, (1, 3, 40)).astype("f4")] for i in range(9)
        )
        sixteen = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [
            sixteen if kind == "16x8" else tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
        if kind == "op":
            converter.inference_input_type, converter.inference_output_type = tf.int8, tf.uint8
    return bytes(converter.convert())


@pytest.mark.parametrize(
    ("kind", "message"),
    [("op", "SOFTMAX.*wakeword train"), ("float", "a float model.*Python"), ("16x8", "16x8.*int8")],
)
def test_a_model_that_no_target_can_take_is_refused_with_the_reason(
    tmp_path: Path, kind: str, message: str
) -> None:
    path = with_model(tmp_path, tiny(kind))
    with pytest.raises(ExportError, match=message):
        run("esphome", path, "-o", tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "better"),
    [("robert-turn-on", "robert_turn_on"), ("2nd", "2nd"), ("während", "w_hrend"), ("int", "int")],
)
def test_a_name_that_c_cannot_take_is_refused_with_one_that_it_can(
    tmp_path: Path, name: str, better: str
) -> None:
    path = with_model(tmp_path, Bundle.load(NAME).model, name)
    with pytest.raises(ExportError, match=f"no C identifier.*{better}"):
        run("c99", path, "-o", tmp_path / "out")


@pytest.mark.parametrize("name", ["wakeword", "Wakeword_lamp", "ww_frontend"])
def test_a_name_of_the_librarys_own_is_refused(tmp_path: Path, name: str) -> None:
    path = with_model(tmp_path, Bundle.load(NAME).model, name)
    with pytest.raises(ExportError, match=f"library's own.*my_{name.lower()}"):
        run("c99", path, "-o", tmp_path / "out")


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ExportError, match="file: .*; give -o a place"):
        run("c99", NAME, "-o", tmp_path / "file" / "lamp")


def test_make_names_the_packages_of_a_missing_toolchain(c99: Path, tmp_path: Path) -> None:
    make = program("make", "make")
    folder = copy_of(c99, tmp_path) / "examples/bare_metal"
    done = subprocess.run([make, "-C", folder, "CROSS=nowhere-"], capture_output=True, text=True)
    assert done.returncode and "no nowhere-gcc: sudo apt install" in done.stderr


def test_make_builds_anew_for_other_flags(c99: Path, tmp_path: Path) -> None:
    make, _ = program("make", "make"), program("gcc", "gcc libc6-dev")
    folder = copy_of(c99, tmp_path)
    build = [make, "-s", "-C", folder, "wakeword_host", "CC=gcc"]
    subprocess.run([*build, "CFLAGS=-O0"], check=True)
    first = (folder / "wakeword_host").read_bytes()
    subprocess.run([*build, "CFLAGS=-O1"], check=True)
    assert (folder / "wakeword_host").read_bytes() != first
    done = subprocess.run([folder / "wakeword_host", "a.wav"], capture_output=True, text=True)
    assert done.returncode == 2 and "standard input" in done.stderr


def test_two_bundles_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="two bundles of one name"):
        run("c99", NAME, with_model(tmp_path, Bundle.load(NAME).model), "-o", tmp_path / "out")


def test_a_missing_compiler_is_named_with_its_package(
    c99: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(ExportError, match="apt install gcc"):
        verify(c99)


def test_verify_sees_one_changed_weight(c99: Path, tmp_path: Path) -> None:
    folder = copy_of(c99, tmp_path)
    source = folder / f"src/{NAME}.c"
    text = source.read_text()
    at = text.index("bias_")
    at = text.index("\n", text.index("{", at)) + 5
    end = text.index(",", at)
    source.write_text(text[:at] + str(int(text[at:end]) + 20_000) + text[end:])
    failed = {row.what for row in verify(folder) if row.ok is False}
    assert "files as exported" in failed
    assert f"C: outputs {NAME}" in failed
    assert changed_files(folder, read_index(folder)) == [f"src/{NAME}.c"]
    assert run("verify", folder) == 1


def test_verify_sees_a_golden_file_that_was_made_of_other_audio(c99: Path, tmp_path: Path) -> None:
    folder = copy_of(c99, tmp_path)
    golden = folder / "golden/golden.bin"
    data = bytearray(golden.read_bytes())
    data[30_000:30_400] = bytes(400)
    golden.write_bytes(data)
    failed = {row.what for row in verify(folder) if row.ok is False}
    assert "golden frames, by pymicro-features" in failed


@pytest.mark.parametrize("cut", [0, 10, 23, 5000])
def test_verify_tells_a_truncated_golden_file(c99: Path, tmp_path: Path, cut: int) -> None:
    folder = copy_of(c99, tmp_path)
    golden = folder / "golden/golden.bin"
    golden.write_bytes(golden.read_bytes()[:cut])
    with pytest.raises(ExportError, match="export the bundle again"):
        verify(folder)


def test_verify_of_something_else_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"no export\.json"):
        verify(tmp_path)


def test_verify_and_size_speak_json(c99: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", c99, "--json") == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    assert run("size", NAME, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    layers = figures["networks"][NAME]["layers"]
    assert sum(row["macs"] for row in layers) > 10_000
    assert {"flash_bytes", "ram_bytes", "chips"} <= set(figures)


def test_size_shows_the_arithmetic(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("size", NAME) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if "any Cortex-M4F" in x)
    words = line.replace("any Cortex-M4F", "").split()
    millions, factor, mhz, percent = (float(words[i]) for i in (0, 3, 5, 8))
    assert percent == pytest.approx(100 * millions * factor / mhz, rel=0.01)


def test_the_users_own_audio_becomes_the_golden_audio(tmp_path: Path, phrase_wav: Path) -> None:
    from firmware_export.golden import Golden

    assert run("c99", NAME, "-o", tmp_path / "x", "--audio", phrase_wav) == 0
    made = Golden.unpack((tmp_path / "x/golden/golden.bin").read_bytes(), "x")
    assert len(made.audio) == 3 * 16_000


def test_the_shipped_thresholds_reach_the_c_code(c99: Path) -> None:
    header = (c99 / "src/wakeword_models.h").read_text()
    bundle = Bundle.load(NAME)
    full = Model.load(bundle).full
    for point in bundle.extension.operating_points:
        row = next(
            x for x in header.splitlines() if f"WAKEWORD_{NAME.upper()}_{point.name.upper()} " in x
        )
        least = int(row.split()[-1].rstrip("U"))
        assert least - 1 < point.threshold * full <= least


def test_a_manifest_that_names_too_few_outputs_is_refused() -> None:
    bundle = Bundle.load(NAME)
    extension = replace(bundle.extension, outputs=("wake", "more", "phones"))
    wrong = replace(bundle, manifest=replace(bundle.manifest, wakeword=extension))
    with pytest.raises(ExportError, match="outputs, the manifest names"):
        Model.load(wrong)
