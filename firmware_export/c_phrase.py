"""The second ear as C: the phrase's strings and the weights of the fusion as whole numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from firmware_export import c_text
from firmware_export.errors import ExportError
from firmware_export.model import Model
from wakeword.phrase import PhraseSpec

SOURCES = ("ww_phrase.h", "ww_phrase.c")


def ring_bytes(model: Model) -> int:
    """RAM for the steps that a model's second ear remembers."""
    ear = model.second_ear
    return ear.window_steps * len(ear.symbols) if ear else 0


def table_bytes(model: Model) -> int:
    """Flash of a model's second ear without its code."""
    ear = model.second_ear
    return len(_strings(ear)) + 4 * len(ear.pronunciations) + 44 if ear else 0


def states(models: Sequence[Model]) -> int:
    """Of the longest string: its phones and the blanks between them."""
    ears = [m.second_ear for m in models if m.second_ear]
    return max(2 * len(s) - 1 for ear in ears for s in (*ear.pronunciations, *ear.competitors))


def source(model: Model, ring_at: int) -> str:
    """The definition of ``NAME_phrase``, a ``ww_phrase``."""
    ear = model.second_ear
    assert ear is not None
    scale = model.outputs[model.bundle.extension.outputs.index(ear.output)].scale
    a_phone = np.array([round(scale / len(s) * 2**24) for s in ear.pronunciations], np.int32)
    name, fusion = model.name, ear.fusion
    weights = {"bias": (fusion.bias, 16), "wake": (fusion.wake, 20), "phrase": (fusion.phrase, 20),
               "margin": (fusion.margin, 20), "unit": (scale, 24)}  # fmt: skip
    fields = "".join(
        f"    .{key} = {_fixed(value, bits, f'{name}: {key}')},\n"
        for key, (value, bits) in weights.items()
    )
    return (
        c_text.array(f"{name}_strings", _strings(ear), static=True)
        + c_text.array(f"{name}_a_phone", a_phone, static=True)
        + f"static const ww_phrase {name}_phrase = {{\n"
        f"    .strings = {name}_strings, .a_phone = {name}_a_phone,\n"
        f"    .own = {len(ear.pronunciations)}, "
        f".all = {len(ear.pronunciations) + len(ear.competitors)},\n"
        f"    .symbols = {len(ear.symbols)}, .window_steps = {ear.window_steps}, "
        f".hold_steps = {ear.hold_steps},\n"
        f"    .output_at = {model.output_at(ear.output)}, .ring_at = {ring_at},\n"
        f"    .floor = {model.least_wake_sum(ear.floor)}, .full = {256 * model.window},\n"
        f"{fields}}};\n"
    )


def _strings(ear: PhraseSpec) -> np.ndarray:
    """(n,) uint8: of each string its length and its columns."""
    column = {symbol: i for i, symbol in enumerate(ear.symbols)}
    parts = [[len(s), *(column[p] for p in s)] for s in (*ear.pronunciations, *ear.competitors)]
    return np.array([n for part in parts for n in part], np.uint8)


def _fixed(value: float, bits: int, what: str) -> int:
    fixed = math.floor(value * 2**bits + 0.5)
    if abs(fixed) >= 2**31:
        raise ExportError(f"{what} is {value:g}; expected less than {2 ** (31 - bits)}")
    return fixed
