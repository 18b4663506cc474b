"""The tflm target: the model as an array with exactly its operators, for TensorFlow Lite Micro."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_export import c_text, tflm_arena
from firmware_export.errors import ExportError
from firmware_export.golden import Golden, dequantized, format_text
from firmware_export.model import Model

# How MicroMutableOpResolver names its operators.
_REGISTER = {
    "CALL_ONCE": "CallOnce", "VAR_HANDLE": "VarHandle", "RESHAPE": "Reshape",
    "READ_VARIABLE": "ReadVariable", "STRIDED_SLICE": "StridedSlice",
    "CONCATENATION": "Concatenation", "ASSIGN_VARIABLE": "AssignVariable", "CONV_2D": "Conv2D",
    "MUL": "Mul", "ADD": "Add", "MEAN": "Mean", "FULLY_CONNECTED": "FullyConnected",
    "LOGISTIC": "Logistic", "QUANTIZE": "Quantize", "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
    "AVERAGE_POOL_2D": "AveragePool2D", "MAX_POOL_2D": "MaxPool2D", "PAD": "Pad", "PACK": "Pack",
    "SPLIT_V": "SplitV",
}  # fmt: skip

DEFAULT_TOLERANCE = 8  # of 256, where TFLM could not be run


@dataclass(frozen=True)
class Distance:
    """How far TFLM's wake probabilities lie from the golden ones, of 256."""

    steps: int
    differ: int
    largest: int


def files(model: Model, golden: Golden) -> dict[str, bytes]:
    """The export's files by path. Raises ExportError when TFLM cannot run the model."""
    ops = sorted({op.name for op in model.graph.ops} | _once_ops(model))
    arena, note = arena_bytes(model)
    extension = model.bundle.extension
    tolerance, tflm_note = (
        DEFAULT_TOLERANCE,
        (
            f"not measured here (pip install {tflm_arena.TOOL}); the golden test lets "
            f"{DEFAULT_TOLERANCE} of 256 through."
        ),
    )
    if tflm_arena.available():
        found = distance(model, golden)
        tolerance = max(2, 2 * found.largest)
        tflm_note = (
            f"of {found.steps} golden steps {found.differ} differ, by {found.largest} of 256 at "
            f"most (x86-64); the golden test lets {tolerance} through."
        )
    values = {
        "MODEL_FILE": model.bundle.manifest.model,
        "SHA256": extension.model_sha256,
        "PHRASE": c_text.string(model.bundle.phrase),
        "PHRASE_TEXT": model.bundle.phrase,
        "STRIDE": str(model.stride),
        "OUTPUT": str(extension.outputs.index("wake")),
        "OUTPUT_AT": str(model.output_at("wake")),
        "WINDOW": str(model.window),
        "THRESHOLD": str(model.least_wake_sum(model.bundle.threshold())),
        "WARM_UP": str(extension.warm_up_steps),
        "REFRACTORY": str(round(model.refractory_units * 3 / model.stride)),
        "VARIABLES": str(max(1, len(model.graph.variables))),
        "ARENA": str(arena),
        "ARENA_NOTE": note,
        "OP_COUNT": str(len(ops)),
        "REGISTER": "\n".join(
            f"  TF_LITE_ENSURE_STATUS(resolver.Add{_REGISTER[op]}());" for op in ops
        ),
        "MODEL_BYTES": f"{len(model.bundle.model):,}",
        "TOLERANCE": str(tolerance),
        "TFLM_NOTE": tflm_note,
    }
    names = (
        "src/wakeword_model.h", "src/wakeword_tflm.h", "src/wakeword_tflm.cc",
        "golden/golden_test.cc", "CMakeLists.txt", "idf_component.yml", "README.md",
    )  # fmt: skip
    made = {name: c_text.fill(f"tflm/{name}", values).encode() for name in names}
    made["src/wakeword_model.cc"] = _array(model.bundle.model).encode()
    made["golden/golden.bin"] = golden.pack()
    made["golden/FORMAT.txt"] = format_text().encode()
    return made


def arena_bytes(model: Model) -> tuple[int, str]:
    """Bytes to reserve, and where the number comes from."""
    if tflm_arena.available():
        measured = tflm_arena.measure(model.bundle.model, model.name)
        return tflm_arena.with_margin(measured), f"{measured} needed on x86-64, and a quarter more"
    given = model.bundle.manifest.micro.tensor_arena_size
    if not given:
        raise ExportError(
            f"{model.name}: its manifest gives no tensor_arena_size; to measure it: "
            f"pip install {tflm_arena.TOOL}"
        )
    return given, "the bundle's own figure"


def distance(model: Model, golden: Golden) -> Distance:
    """Run TFLM's x86 build on the golden frames."""
    found = run(model, dequantized(golden.frames)).astype(int)
    expected = golden.models[0].outputs[:, model.output_at("wake")].astype(int)
    apart = np.abs(found - expected)
    return Distance(len(apart), int((apart > 0).sum()), int(apart.max(initial=0)))


def run(model: Model, frames: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """(n_frames, 40) int8 -> (n_steps,) uint8 wake probabilities, by TFLM's x86 build."""
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model.bundle.model)
    output = model.bundle.extension.outputs.index("wake")
    found = []
    for at in range(0, len(frames) - model.stride + 1, model.stride):
        interpreter.set_input(frames[np.newaxis, at : at + model.stride], 0)
        interpreter.invoke()
        found.append(interpreter.get_output(output).flat[0])
    return np.array(found, np.uint8)


def _once_ops(model: Model) -> set[str]:
    """Operators of the subgraph that sets the variables; TFLM registers them too."""
    return {"CALL_ONCE", "VAR_HANDLE", "ASSIGN_VARIABLE"} if model.graph.variables else set()


def _array(data: bytes) -> str:
    body = c_text.array("g_wakeword_model", np.frombuffer(data, np.uint8))
    body = body.replace("const uint8_t", "alignas(16) const unsigned char")
    return (
        '#include "wakeword_model.h"\n\n'
        f"{body}\nconst unsigned int g_wakeword_model_len = {len(data)};\n"
    )
