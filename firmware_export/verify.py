"""``wakeword export verify``: does a folder compute what the Raspberry Pi computes?"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_export import esphome, tflm, tflm_arena
from firmware_export.errors import ExportError
from firmware_export.folder import changed_files, read_index
from firmware_export.golden import Golden, decide, default_audio, make, run_reference
from firmware_export.model import Model
from wakeword.bundle import Bundle
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.frontend import FrontEnd, quantize
from wakeword.model import StreamingModel

PEER_TOLERANCE = 24  # of 256: TFLite's kernels for a processor round otherwise than its reference
TFLM_TOLERANCE = 24
DETECTION_TOLERANCE_S = 0.06  # two steps
SILENT = "nothing fired in the golden audio: export with --audio and a recording of the phrase"


@dataclass(frozen=True)
class Row:
    """One line of the table; ``ok`` is None for what could not be checked here."""

    what: str
    result: str
    ok: bool | None


def verify(folder: Path) -> list[Row]:
    """Check a folder against the references. Raises ExportError when it is no whole export."""
    index = read_index(folder)
    models = [Model.load(Bundle.load(folder / "bundle" / f"{n}.json")) for n in index["bundles"]]
    changed = changed_files(folder, index)
    rows = [Row("files as exported", f"changed: {', '.join(changed)}" if changed else
                f"{len(index['files'])} files", not changed)]  # fmt: skip
    checks = {"c99": _c99, "esphome": _esphome, "tflm": _tflm}
    if index["target"] not in checks:
        raise ExportError(f"{folder}: target {index['target']!r}; expected {', '.join(checks)}")
    return rows + list(checks[index["target"]](folder, models))


def _c99(folder: Path, models: list[Model]) -> Iterator[Row]:
    golden = _golden(folder)
    yield from _references(golden, models)
    with tempfile.TemporaryDirectory() as build:
        test = compile_c(folder, "golden/golden_test.c", Path(build) / "golden_test")
        host = compile_c(folder, "host/wakeword_host.c", Path(build) / "wakeword_host")
        done = subprocess.run([test, folder / "golden/golden.bin"], capture_output=True, text=True)
        for line in done.stdout.splitlines():
            words = line.split()
            if len(words) == 5:
                stage, name, compared, differ, largest = words
                what = f"C: {stage} {name.replace('-', '')}".rstrip()
                result = f"{compared} compared, {differ} differ, by {largest} at most"
                yield (
                    Row(what, result, differ == "0") if compared != "0" else Row(what, SILENT, None)
                )
        if done.returncode:
            yield Row("C: golden test", done.stdout.strip().splitlines()[-1], False)
        heard = subprocess.run([host], input=golden.audio.astype("<i2").tobytes(),
                               capture_output=True).stdout.decode().splitlines()  # fmt: skip
    yield _detections(heard, Detector([m.bundle for m in models], gate=False).push(golden.audio))


def _esphome(folder: Path, models: list[Model]) -> Iterator[Row]:
    yield from _references(_golden(folder), [m.wake_alone() for m in models])
    frames = quantize(FrontEnd().push(default_audio()))
    for model in models:
        step = (folder / f"{model.name}.tflite").read_bytes()
        for check in esphome.checks(model, step):
            yield Row(f"{model.name}: {check.what}", check.found, check.ok)
        whole = run_reference(model.bundle.model, frames)[:, model.output_at("wake")]
        alone = run_reference(step, frames)[:, 0]
        differ = int((whole != alone).sum())
        yield Row(
            f"{model.name}: probabilities", f"{len(alone)} compared, {differ} differ", not differ
        )
        yield _arena(model.name, step, esphome_arena(folder, model))
        yield _pymicro(folder, model)


def esphome_arena(folder: Path, model: Model) -> int:
    """tensor_arena_size of an exported manifest."""
    return Bundle.load(folder / f"{model.name}.json").manifest.micro.tensor_arena_size


def _tflm(folder: Path, models: list[Model]) -> Iterator[Row]:
    golden = _golden(folder)
    yield from _references(golden, models)
    (model,) = models
    text = (folder / "src/wakeword_model.cc").read_text(encoding="utf-8")
    numbers = text[text.index("{") + 1 : text.index("}")].replace(",", " ").split()
    same = bytes(int(n) for n in numbers) == model.bundle.model
    yield Row("model array is the bundle's .tflite", f"{len(numbers)} bytes", same)
    header = (folder / "src/wakeword_model.h").read_text(encoding="utf-8")
    reserved = int(header.split("kWakewordArenaBytes = ")[1].split(";")[0])
    yield _arena(model.name, model.bundle.model, reserved)
    if tflm_arena.available():
        found = tflm.distance(model, golden)
        yield Row("TFLM's probabilities beside TFLite's",
                  f"{found.steps} compared, {found.differ} differ, by {found.largest} at most",
                  found.largest <= TFLM_TOLERANCE)  # fmt: skip


def _references(golden: Golden, models: list[Model]) -> Iterator[Row]:
    """Are the golden vectors what the Pi's own libraries say, here and now?"""
    again = make(models, golden.audio)
    differ = int((again.frames != golden.frames).sum())
    compared = f"{golden.frames.size} compared, {differ} differ"
    yield Row("golden frames, by pymicro-features", compared, not differ)
    for model, kept, made in zip(models, golden.models, again.models, strict=True):
        differ = int((made.outputs != kept.outputs).sum())
        yield Row(f"golden outputs {model.name}, by TFLite's reference kernels",
                  f"{kept.outputs.size} compared, {differ} differ", not differ)  # fmt: skip
        found = decide(model, kept.outputs, kept.threshold)
        same = np.array_equal(found, kept.detections)
        what = f"golden detections {model.name}, by the Python decision"
        compared = f"{len(kept.detections)} compared"
        yield Row(what, compared, same) if len(found) or not same else Row(what, SILENT, None)


def _detections(heard: list[str], device: list[Detection]) -> Row:
    """The host tool's lines beside the Python detector's; their times may lie a step apart."""
    ours = [json.loads(line) for line in heard]
    apart = [
        abs(a["time_s"] - b.time_s) if a["name"] == b.name else float("inf")
        for a, b in zip(ours, device, strict=False)
    ]
    result = (
        f"{len(ours)} and {len(device)} detections, {max(apart, default=0):.2f} s apart at most"
    )
    same = len(ours) == len(device) and max(apart, default=0) <= DETECTION_TOLERANCE_S
    return Row("C: host tool beside the Python detector, gate open", result, same)


def _arena(name: str, step: bytes, reserved: int) -> Row:
    if not tflm_arena.available():
        return Row(f"{name}: tensor arena", f"not measured: pip install {tflm_arena.TOOL}", None)
    needed = tflm_arena.measure(step, name)
    return Row(f"{name}: tensor arena", f"{reserved} reserved, {needed} needed", needed <= reserved)


def _pymicro(folder: Path, model: Model) -> Row:
    """The pair in pymicro-wakeword beside our own runtime, probability by probability."""
    what = f"{model.name}: scores in pymicro-wakeword"
    if importlib.util.find_spec("pymicro_wakeword") is None:
        return Row(what, "not checked: pip install pymicro-wakeword", None)
    from pymicro_wakeword import MicroWakeWord

    table = json.loads((folder / f"{model.name}.json").read_text(encoding="utf-8"))
    table["micro"]["sliding_window_size"] = 1
    with tempfile.TemporaryDirectory() as scratch:
        pair = Path(scratch) / f"{model.name}.json"
        pair.write_text(json.dumps(table), encoding="utf-8")
        shutil.copy(folder / f"{model.name}.tflite", scratch)
        peer = MicroWakeWord.from_config(pair)
        ours = StreamingModel((folder / f"{model.name}.tflite").read_bytes())
        frames = FrontEnd().push(default_audio())
        apart = []
        for at in range(0, len(frames) - model.stride + 1, model.stride):
            step = frames[at : at + model.stride]
            theirs = [peer.process_streaming_prob(f.reshape(1, 1, -1)) for f in step][-1]
            apart.append(round(abs(theirs - ours.step(step)) * 256))
    differ, largest = sum(a > 0 for a in apart), max(apart)
    return Row(what, f"{len(apart)} compared, {differ} differ, by {largest} of 256 at most",
               largest <= PEER_TOLERANCE)  # fmt: skip


def _golden(folder: Path) -> Golden:
    path = folder / "golden/golden.bin"
    try:
        return Golden.unpack(path.read_bytes(), str(path))
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}; export the bundle again") from None


def compile_c(folder: Path, main: str, program: Path, flags: tuple[str, ...] = ()) -> Path:
    """Build a C program of an export with this machine's compiler (CC, cc, gcc or clang)."""
    names = [os.environ["CC"]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    compiler = next((found for name in names if (found := shutil.which(name))), None)
    if compiler is None:
        raise ExportError(f"no C compiler ({', '.join(names)}): sudo apt install gcc libc6-dev")
    sources = [folder / main, *sorted((folder / "src").glob("*.c"))]
    done = subprocess.run(
        [compiler, "-std=c99", "-O2", *flags, "-I", folder / "src", "-o", program, *sources],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise ExportError(f"{folder}: {main} does not compile: {said[0] if said else '?'}")
    return program
