"""Golden vectors: audio, and what every stage must make of it.

Frames come from pymicro-features, the network's outputs from TFLite's reference kernels, and the
detections from the device's own decision; none of them from the code that is checked with them.
The file's format stands at the head of ``templates/c99/golden/golden_test.c``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_export.c_text import TEMPLATES
from firmware_export.errors import ExportError
from firmware_export.model import Model
from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES, Int16
from wakeword.decision import Decision
from wakeword.frontend import RAW_PER_UNIT, FrontEnd, Int8, quantize
from wakeword.phrase import SecondEar

MAGIC = b"wwgolden"
VERSION = 1
DEFAULT_S = 6.0  # of the shipped recording


@dataclass(frozen=True)
class GoldenModel:
    """What one model says: (n_steps, n_bytes) uint8 outputs, and (n, 3) detections as unit, score
    and started unit, at a threshold on the sum of the smoothing window.
    """

    threshold: int
    outputs: npt.NDArray[np.uint8]
    detections: npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Golden:
    """(n,) int16 audio, (n_frames, 40) uint16 raw frames, and each model's part."""

    audio: Int16
    frames: npt.NDArray[np.uint16]
    models: tuple[GoldenModel, ...]

    def pack(self) -> bytes:
        """The file's bytes."""
        counts = len(self.audio), len(self.frames), len(self.models)
        parts = [MAGIC, struct.pack("<4I", VERSION, *counts)]
        parts += [self.audio.astype("<i2").tobytes(), self.frames.astype("<u2").tobytes()]
        for model in self.models:
            steps, size = model.outputs.shape
            parts.append(struct.pack("<4I", steps, size, model.threshold, len(model.detections)))
            parts += [model.outputs.tobytes(), model.detections.astype("<u4").tobytes()]
        return b"".join(parts)

    @classmethod
    def unpack(cls, data: bytes, where: str) -> Golden:
        """Read a file's bytes. Raises ExportError naming ``where``."""
        try:
            if data[:8] != MAGIC:
                raise ValueError("not a golden file")
            version, samples, frames, models = struct.unpack_from("<4I", data, 8)
            if version != VERSION:
                raise ValueError(f"version {version}, expected {VERSION}")
            audio = np.frombuffer(data, "<i2", samples, 24).astype(np.int16)
            at = 24 + 2 * samples
            raw = np.frombuffer(data, "<u2", frames * 40, at).astype(np.uint16).reshape(-1, 40)
            at += 80 * frames
            parts = []
            for _ in range(models):
                steps, size, threshold, count = struct.unpack_from("<4I", data, at)
                outputs = np.frombuffer(data, np.uint8, steps * size, at + 16).reshape(steps, size)
                at += 16 + steps * size
                found = np.frombuffer(data, "<u4", 3 * count, at).astype(np.uint32).reshape(-1, 3)
                at += 12 * count
                parts.append(GoldenModel(threshold, outputs, found))
        except (ValueError, struct.error) as error:
            raise ExportError(f"{where}: {error}; export the bundle again") from None
        return cls(audio, raw, tuple(parts))


def format_text() -> str:
    """The description of golden.bin, from the head of the C test."""
    text = (TEMPLATES / "c99/golden/golden_test.c").read_text(encoding="utf-8")
    return text[text.index("The file,") : text.index("*/")].replace("\n * ", "\n").strip() + "\n"


def default_audio() -> Int16:
    """The shipped recording around the first time that its phrase is said."""
    import json

    from wakeword.audio import read_file
    from wakeword.demo import RECORDING

    said = json.loads(RECORDING.with_suffix(".json").read_text(encoding="utf-8"))["said"]
    first = next(s for s in said if s["wake"])
    start = max(0, round((first["end_s"] - DEFAULT_S + 1.5) * SAMPLE_RATE))
    return read_file(RECORDING)[start:][: round(DEFAULT_S * SAMPLE_RATE)]


def make(models: Sequence[Model], audio: Int16) -> Golden:
    """Run the reference of every stage. The audio is cut to whole units of 30 ms."""
    audio = audio[: len(audio) - len(audio) % STEP_SAMPLES]
    raw = np.rint(FrontEnd().push(audio) * RAW_PER_UNIT).astype(np.uint16)
    return Golden(audio, raw, tuple(_model(model, raw) for model in models))


def run_reference(model: bytes, frames: Int8) -> npt.NDArray[np.uint8]:
    """(n_frames, 40) int8 -> (n_steps, n_bytes) uint8 outputs, by TFLite's reference kernels."""
    interpreter = _reference(model)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]
    stride = int(given["shape"][1])
    indices = [d["index"] for d in interpreter.get_output_details()]
    rows = []
    for at in range(0, len(frames) - stride + 1, stride):
        interpreter.set_tensor(given["index"], frames[np.newaxis, at : at + stride])
        interpreter.invoke()
        rows.append(
            np.concatenate([interpreter.get_tensor(i).view(np.uint8).ravel() for i in indices])
        )
    return np.array(rows, np.uint8)


def dequantized(raw: npt.NDArray[np.uint16]) -> Int8:
    """Raw frames as the network's input."""
    return quantize(raw.astype(np.float32) / np.float32(RAW_PER_UNIT))


def _reference(model: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    return Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )


def _model(model: Model, raw: npt.NDArray[np.uint16]) -> GoldenModel:
    outputs = run_reference(model.bundle.model, dequantized(raw))
    threshold = model.least_score(model.bundle.threshold())
    detections = decide(model, outputs, threshold)
    if not len(detections):
        # Audio without the phrase: a threshold that it does reach, so that firing is compared too.
        most = max(scores(model, outputs), default=0.0)
        threshold = max(1, int(0.9 * most * model.full))
        detections = decide(model, outputs, threshold)
    return GoldenModel(threshold, outputs, detections)


def scores(model: Model, outputs: npt.NDArray[np.uint8]) -> list[float]:
    """(n_steps, n_bytes) raw outputs -> the score after each step, by the device's own decision."""
    return [score for score, _ in _decisions(model, outputs, 2.0)]


def decide(model: Model, outputs: npt.NDArray[np.uint8], threshold: int) -> npt.NDArray[np.uint32]:
    """(n_steps, n_bytes) raw outputs -> (n, 3) detections, by the device's own decision."""
    found = []
    for step, (score, rise) in enumerate(_decisions(model, outputs, threshold / model.full)):
        if rise is not None:
            found.append((_unit(model, step) + 1, round(score * model.full), rise))
    return np.array(found, np.uint32).reshape(-1, 3)


def _decisions(
    model: Model, outputs: npt.NDArray[np.uint8], threshold: float
) -> Iterator[tuple[float, int | None]]:
    """Of each step: the score, and where it began to rise if it fired."""
    spec, ear = model.second_ear, None
    if spec is not None:
        scale = model.outputs[model.bundle.extension.outputs.index(spec.output)].scale
        ear = SecondEar(spec, scale)
    decision = Decision(
        threshold, model.window, model.bundle.extension.warm_up_steps, model.refractory_units, ear
    )
    wake_at = model.output_at("wake")
    for step, raw in enumerate(outputs):
        if spec is not None and ear is not None:
            at = model.output_at(spec.output)
            ear.push(raw[at : at + len(spec.symbols)])
        fired = decision.push(_unit(model, step), int(raw[wake_at]) / 256)
        yield decision.score, decision.rise_step if fired else None


def _unit(model: Model, step: int) -> int:
    """In which the step's last frame comes."""
    return ((step + 1) * model.stride + 1) // 3
