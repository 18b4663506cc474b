"""What a bundle takes on a microcontroller: flash, RAM, operations, and the arithmetic to time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_export import c_phrase
from firmware_export import frontend_tables as tables
from firmware_export.model import Model
from firmware_export.program import Elementwise, Pool, Product, Step, Table
from wakeword.frontend import N_CHANNELS

FRAMES_A_SECOND = 100
WINDOW_SAMPLES = 480
FFT_SIZE = tables.FFT_SIZE
EAR_SHARE = 0.01  # of the steps in which a second ear is asked; fewer were, in hours of talk


@dataclass(frozen=True)
class Core:
    """Instructions of the C99 library on one family of cores, counted under emulation.

    With gcc 12.2 -O2 over the shipped recording; ``benchmarks/firmware`` counts them again.
    ``cycles_an_instruction`` is an assumption: emulation does not time memory.
    """

    name: str
    frame: int  # instructions of the front end for a frame
    mac: float  # instructions a multiply-add of a dense product
    value: float  # instructions an output value of any step: scaling, adding, copying
    path: float  # instructions a state and step of a second ear's path
    code_bytes: int
    ear_code_bytes: int  # of ww_phrase.c
    cycles_an_instruction: float


CORES = {
    "dsp": Core("Cortex-M4, M7, M33", 30_700, 1.18, 19.0, 24.0, 5_900, 1_200, 1.3),
    "m0": Core("Cortex-M0+", 134_900, 4.74, 77.0, 26.0, 8_000, 1_200, 1.6),
}


@dataclass(frozen=True)
class Chip:
    """A chip people build lamps with."""

    name: str
    core: str
    mhz: int


CHIPS = (
    Chip("any Cortex-M4F", "dsp", 100),
    Chip("nRF52840 (M4F)", "dsp", 64),
    Chip("STM32L4 (M4F)", "dsp", 80),
    Chip("RP2350 (M33)", "dsp", 150),
    Chip("STM32H7 (M7)", "dsp", 400),
    Chip("RP2040 (M0+)", "m0", 133),
    Chip("STM32G0 (M0+)", "m0", 64),
)


@dataclass(frozen=True)
class Layer:
    """One step of a network: multiply-adds and values written a step, and bytes of constants."""

    name: str
    macs: int
    values: int
    bytes: int


def layers(model: Model) -> list[Layer]:
    """The network's steps, without plain copies."""
    return [layer for step in model.program.steps if (layer := _layer(step)) is not None]


def steps_a_second(model: Model) -> float:
    """How often the network runs."""
    return FRAMES_A_SECOND / model.stride


def network_bytes(model: Model) -> int:
    """Flash of one network's constants."""
    start = sum(v.size for v in model.program.start.values() if np.any(v != v.ravel()[0]))
    shared = sum(v.nbytes for v in model.program.constants.values())
    layered = sum(layer.bytes for layer in layers(model))
    return layered + shared + start + c_phrase.table_bytes(model)


def front_end_bytes() -> int:
    """Flash of the front end's tables."""
    bank = tables.filterbank()
    arrays = (tables.window(), tables.fft_order(), tables.twiddles(), tables.real_twiddles(),
              bank.widths, bank.weights, bank.unweights, tables.root_table(), tables.gain_table(),
              tables.log_table())  # fmt: skip
    return sum(a.nbytes for a in arrays)


def ram_bytes(models: Sequence[Model]) -> int:
    """``sizeof(wakeword)`` on a 32-bit core, the gate left out; equal to the compiler's to 16."""
    front_end = 2 * WINDOW_SAMPLES + 4 + 4 * N_CHANNELS
    window = max(m.window for m in models)
    listener = -(-(window + 3) // 2) * 2 + 2
    listener = -(-listener // 4) * 4 + 7 * 4
    state = sum(m.stride * N_CHANNELS + m.program.state_bytes + m.program.out_bytes for m in models)
    scratch = max(2 * FFT_SIZE, *(m.program.arena_bytes for m in models))
    state += sum(c_phrase.ring_bytes(m) for m in models)
    return front_end + listener * len(models) + 8 + -(-state // 4) * 4 + scratch


def code_bytes(models: Sequence[Model], core: Core) -> int:
    """Flash of the library's own code."""
    return core.code_bytes + (core.ear_code_bytes if any(m.second_ear for m in models) else 0)


def ear_instructions(model: Model, core: Core) -> float:
    """Of a step in which the second ear is asked, beside what every step takes."""
    ear = model.second_ear
    if ear is None:
        return 0.0
    states = sum(2 * len(s) - 1 for s in (*ear.pronunciations, *ear.competitors))
    return core.path * states * ear.window_steps


def instructions_a_second(models: Sequence[Model], core: Core) -> float:
    """Of the front end and all networks together, second ears asked now and then."""
    total = float(FRAMES_A_SECOND * core.frame)
    for model in models:
        rows = layers(model)
        step = core.mac * sum(r.macs for r in rows) + core.value * sum(r.values for r in rows)
        step += EAR_SHARE * ear_instructions(model, core)
        total += step * steps_a_second(model)
    return total


def _layer(step: Step) -> Layer | None:
    if isinstance(step, Product):
        macs = step.down * step.across * step.weights.size
        weights = step.weights.nbytes if step.depth else step.pairs().nbytes
        constants = weights + step.bias.nbytes + 8 * len(step.scaling.scales)
        return Layer(step.kind, macs, step.down * step.across * len(step.bias), constants)
    if isinstance(step, Elementwise):
        return Layer(step.kind, 0, step.size, 36)
    if isinstance(step, Table):
        return Layer("table", 0, step.size, step.table.nbytes)
    if isinstance(step, Pool):
        values = step.out_size[0] * step.out_size[1] * step.depth
        return Layer(step.kind, values * step.window[0] * step.window[1], values, 24)
    return None


def report(models: Sequence[Model]) -> dict[str, Any]:
    """All figures, ready for JSON."""
    macs = {m.name: sum(r.macs for r in layers(m)) * steps_a_second(m) for m in models}
    networks = {
        m.name: {
            "steps_a_second": steps_a_second(m),
            "macs_a_second": macs[m.name],
            "flash_bytes": network_bytes(m),
            "arena_bytes": m.program.arena_bytes,
            "variable_bytes": m.program.state_bytes,
            "layers": [vars(layer) for layer in layers(m)],
            "instructions_when_the_second_ear_is_asked": {
                core.name: round(ear_instructions(m, core)) for core in CORES.values()
            }
            if m.second_ear
            else {},
        }
        for m in models
    }
    chips = []
    for chip in CHIPS:
        core = CORES[chip.core]
        instructions = instructions_a_second(models, core)
        cycles = instructions * core.cycles_an_instruction
        chips.append(
            {
                "chip": chip.name,
                "mhz": chip.mhz,
                "million_instructions_a_second": round(instructions / 1e6, 2),
                "cycles_an_instruction": core.cycles_an_instruction,
                "cpu_percent": round(100 * cycles / (chip.mhz * 1e6), 1),
            }
        )
    constants = front_end_bytes() + sum(network_bytes(m) for m in models)
    return {
        "networks": networks,
        "flash_bytes": {
            "networks": constants - front_end_bytes(),
            "front_end_tables": front_end_bytes(),
            "code": {core.name: code_bytes(models, core) for core in CORES.values()},
        },
        "ram_bytes": ram_bytes(models),
        "chips": chips,
    }


def text(figures: dict[str, Any]) -> str:
    """The report for people."""
    lines = []
    for name, network in figures["networks"].items():
        lines.append(f"{name}: {network['steps_a_second']:.1f} steps a second")
        lines.append(f"  {'layer':20}{'multiply-adds':>14}{'values':>8}{'flash bytes':>13}")
        for row in network["layers"]:
            lines.append(f"  {row['name']:20}{row['macs']:14,}{row['values']:8,}{row['bytes']:13,}")
        total = [sum(r[k] for r in network["layers"]) for k in ("macs", "values", "bytes")]
        lines.append(f"  {'a step':20}{total[0]:14,}{total[1]:8,}{total[2]:13,}")
        lines.append(f"  {'a second':20}{network['macs_a_second']:14,.0f}")
        asked = network["instructions_when_the_second_ear_is_asked"]
        if asked:
            said = ", ".join(f"{n:,} ({name})" for name, n in asked.items())
            lines.append(f"  a step in which the second ear is asked: {said} instructions more;")
            lines.append(f"  taken to be one in {1 / EAR_SHARE:.0f} below")
    flash = figures["flash_bytes"]
    code = ", ".join(f"{size:,} ({name})" for name, size in flash["code"].items())
    whole = flash["networks"] + flash["front_end_tables"]
    lines += [
        f"flash  {whole:,} bytes of constants: networks {flash['networks']:,} + front end "
        f"{flash['front_end_tables']:,}; and code: about {code}",
        f"RAM    {figures['ram_bytes']:,} bytes, and about 600 of stack",
        "CPU    instructions a second (counted under emulation) x cycles an instruction (assumed) "
        "/ clock:",
    ]
    for chip in figures["chips"]:
        lines.append(
            f"  {chip['chip']:18}{chip['million_instructions_a_second']:6.2f} M x "
            f"{chip['cycles_an_instruction']} / {chip['mhz']} MHz = {chip['cpu_percent']:.1f} %"
        )
    return "\n".join(lines)
