"""The esphome target: the pair of files that micro_wake_word takes, and a YAML for a lamp."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_export import c_text, prune, tflm_arena
from firmware_export.errors import ExportError
from firmware_export.golden import Golden, format_text
from firmware_export.graph import OPS
from firmware_export.model import Model
from wakeword.frontend import N_CHANNELS, RAW_PER_UNIT, quantize

MAX_VARIABLES = 20  # resource variables that ESPHome makes room for
RAW_VALUES = 700  # more than the front end can give


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what, what was found, and whether it will do."""

    what: str
    found: str
    ok: bool


def files(models: Sequence[Model], golden: Golden) -> dict[str, bytes]:
    """The export's files by path, ``golden`` being of the wake heads alone.

    Raises ExportError when ESPHome could not run a model.
    """
    made = {
        "golden/golden.bin": golden.pack(),
        "golden/FORMAT.txt": format_text().encode(),
    }
    rows = []
    for model in models:
        step = prune.keep_output(model.bundle.model, model.bundle.extension.outputs.index("wake"))
        failed = [c for c in checks(model, step) if not c.ok]
        if failed:
            raise ExportError(f"{model.name}: {failed[0].what}: {failed[0].found}")
        table = manifest(model, step)
        made[f"{model.name}.json"] = (
            json.dumps(table, indent=2, ensure_ascii=False) + "\n"
        ).encode()
        made[f"{model.name}.tflite"] = step
        micro = table["micro"]
        rows.append(
            f"| {model.name} | {model.bundle.phrase} | {len(step):,} | "
            f"{micro['tensor_arena_size']:,} | {micro['probability_cutoff']} | "
            f"{micro['sliding_window_size']} |"
        )
    values = {
        "MODELS": "\n".join(f"    - model: {m.name}.json\n      id: {m.name}" for m in models),
        "ACTIONS": "\n".join(_action(m) for m in models),
        "ROWS": "\n".join(rows),
        "HEADS": _heads(models),
        "ARENA": _arena_note(),
    }
    made["lamp.yaml"] = c_text.fill("esphome/lamp.yaml", values).encode()
    made["README.md"] = c_text.fill("esphome/README.md", values).encode()
    return made


def checks(model: Model, step: bytes) -> list[Check]:
    """What ESPHome's component demands of a model, looked up in the file itself."""
    from firmware_export.graph import parse

    graph = parse(step, model.name)
    names = {op.name for op in graph.ops}
    given = [graph.tensors[i] for i in graph.inputs]
    results = [graph.tensors[i] for i in graph.outputs]
    raw = np.arange(RAW_VALUES)
    scaled = np.float32(raw / np.float32(RAW_PER_UNIT)) / np.float32(given[0].scale)
    by_tflite = np.clip(np.floor(scaled + 0.5) + given[0].zero_point, -128, 127)
    by_formula = quantize((raw / RAW_PER_UNIT).astype(np.float32))
    differ = int((by_tflite != by_formula).sum())
    fed = [(t.dtype, t.shape[0], t.shape[2]) for t in given] == [("int8", 1, N_CHANNELS)]
    read = [(t.dtype, t.shape) for t in results] == [("uint8", (1, 1))]
    room = len(graph.variables) <= MAX_VARIABLES
    return [
        Check("operators of ESPHome's resolver", f"{len(names)} used", names <= OPS),
        Check("input", _shapes(given), fed),
        Check("output", _shapes(results), read),
        Check(f"variables, at most {MAX_VARIABLES}", str(len(graph.variables)), room),
        Check(f"input quantization of raw 0..{RAW_VALUES - 1}", f"{differ} differ", differ == 0),
    ]


def manifest(model: Model, step: bytes) -> dict[str, Any]:
    """ESPHome's manifest, version 2; it refuses keys that it does not know."""
    bundle = model.bundle.manifest
    arena = bundle.micro.tensor_arena_size
    if tflm_arena.available():
        arena = tflm_arena.with_margin(tflm_arena.measure(step, model.name))
    elif not arena:
        raise ExportError(
            f"{model.name}: its manifest gives no tensor_arena_size; to measure it: "
            f"pip install {tflm_arena.TOOL}"
        )
    table: dict[str, Any] = {
        "type": "micro",
        "wake_word": bundle.wake_word,
        "author": bundle.author,
        "model": f"{model.name}.tflite",
        "trained_languages": list(bundle.trained_languages),
        "version": 2,
        "micro": {
            "probability_cutoff": cutoff(model),
            "feature_step_size": bundle.micro.feature_step_size,
            "sliding_window_size": bundle.micro.sliding_window_size,
            "tensor_arena_size": arena,
            "minimum_esphome_version": bundle.micro.minimum_esphome_version,
        },
    }
    if bundle.website:
        table["website"] = bundle.website
    return table


def cutoff(model: Model) -> float:
    """The cut-off with which ESPHome fires where we do, or at the next higher score that it can.

    ESPHome turns it into q = int(255 cutoff) and fires when the sum over the window exceeds q times
    the window; we fire at a sum of ``least_wake_sum``.
    """
    least = model.least_wake_sum(model.bundle.wake_alone().threshold())
    q = min(255, -(-(least - 1) // model.window))
    return round((q + 0.5) / 255, 4) if q < 255 else 1.0


def _shapes(tensors: Sequence[Any]) -> str:
    return ", ".join(f"{t.dtype} {list(t.shape)}" for t in tensors)


def _action(model: Model) -> str:
    phrase = model.bundle.phrase
    action = "turn_off" if phrase.lower().split()[-1:] == ["off"] else "turn_on"
    return (
        "      - if:\n"
        f"          condition:\n            lambda: return wake_word == {json.dumps(phrase)};\n"
        f"          then:\n            - switch.{action}: lamp"
    )


def _heads(models: Sequence[Model]) -> str:
    several = [m.name for m in models if len(m.outputs) > 1]
    if not several:
        return ""
    return (
        f"ESPHome reads one output: of {', '.join(several)} the wake head alone is taken, and the "
        "bundle's numbers for all heads together do not hold here.\n\n"
    )


def _arena_note() -> str:
    if tflm_arena.available():
        return (
            "`tensor_arena_size` is what TensorFlow Lite Micro needed on x86-64 and a quarter more."
        )
    return (
        "`tensor_arena_size` is the bundle's own; it was not measured again "
        f"(pip install {tflm_arena.TOOL})."
    )
