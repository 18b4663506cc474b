"""The exported C99 library, built for this machine and called through ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from firmware_export import c99
from firmware_export.model import Model
from wakeword.audio import Int16

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
MAX_FOUND = 64


def program(name: str, package: str) -> str:
    """The path of a program, or a skip that says what to install."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed: sudo apt install {package}")
    return path


def write(folder: Path, models: Sequence[Model]) -> Path:
    """The library's sources in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in c99.library(models).items():
        (folder / name).write_text(text)
    return folder


class _Detection(ctypes.Structure):
    _fields_ = [
        ("model", ctypes.c_uint8),
        ("score", ctypes.c_uint32),
        ("full", ctypes.c_uint32),
        ("unit", ctypes.c_uint32),
        ("started_unit", ctypes.c_uint32),
    ]


class Library:
    """A build of some models; the state that the functions take is in here."""

    def __init__(self, folder: Path, models: Sequence[Model], flags: Sequence[str] = ()):
        self.models = list(models)
        sources = write(folder, models)
        built = folder / "library.so"
        gcc = program("gcc", "gcc libc6-dev")
        subprocess.run(
            [gcc, *WARNINGS, "-O2", *flags, "-shared", "-fPIC", "-o", built, *sources.glob("*.c")],
            check=True,
        )
        self._c = ctypes.CDLL(str(built))
        self._c.ww_frontend_push.restype = ctypes.c_size_t
        self._c.wakeword_push.restype = ctypes.c_size_t
        self._c.wakeword_score.restype = ctypes.c_uint32
        self.state = ctypes.create_string_buffer(64 * 1024)
        self._c.wakeword_init(self.state)

    def frames(self, audio: Int16, block: int = 480) -> np.ndarray:
        """(n_frames, 40) raw frames of a fresh front end, fed in blocks."""
        frontend = ctypes.create_string_buffer(4096)
        scratch, frame = (ctypes.c_int16 * 512)(), (ctypes.c_uint16 * 40)()
        ready = ctypes.c_int()
        self._c.ww_frontend_reset(frontend)
        frames = []
        for start in range(0, len(audio), block):
            part = np.ascontiguousarray(audio[start : start + block])
            at = 0
            while at < len(part):
                at += self._c.ww_frontend_push(
                    frontend, ctypes.c_void_p(part.ctypes.data + 2 * at),
                    ctypes.c_size_t(len(part) - at), scratch, frame, ctypes.byref(ready),
                )  # fmt: skip
                if ready.value:
                    frames.append(list(frame))
        return np.array(frames, np.int64).reshape(-1, 40)

    def outputs(self, frames: np.ndarray, model: int = 0) -> np.ndarray:
        """(n_frames, 40) int8 -> (n_steps, n_bytes) uint8 of one network, from its reset."""
        of = self.models[model]
        step, reset = self._c[f"{of.name}_step"], self._c[f"{of.name}_reset"]
        variables = ctypes.create_string_buffer(of.program.state_bytes + 4)
        arena = ctypes.create_string_buffer(of.program.arena_bytes + 4)
        out = (ctypes.c_uint8 * of.program.out_bytes)()
        reset(variables)
        rows = []
        for at in range(0, len(frames) - of.stride + 1, of.stride):
            given = np.ascontiguousarray(frames[at : at + of.stride])
            step(ctypes.c_void_p(given.ctypes.data), variables, arena, out)
            rows.append(list(out))
        return np.array(rows, np.int64)

    def reset(self) -> None:
        self._c.wakeword_reset(self.state)

    def set_threshold(self, model: int, threshold: int) -> None:
        self._c.wakeword_set_threshold(
            self.state, ctypes.c_uint8(model), ctypes.c_uint32(threshold)
        )

    def score(self, model: int = 0) -> int:
        """After the last step, of the model's `full`."""
        return int(self._c.wakeword_score(self.state, ctypes.c_uint8(model)))

    def push(self, audio: Int16) -> list[tuple[int, int, int, int]]:
        """Detections as (model, score, unit, started_unit)."""
        found = (_Detection * MAX_FOUND)()
        audio = np.ascontiguousarray(audio)
        count = self._c.wakeword_push(
            self.state, ctypes.c_void_p(audio.ctypes.data), ctypes.c_size_t(len(audio)), found,
            ctypes.c_size_t(MAX_FOUND),
        )  # fmt: skip
        return [(d.model, d.score, d.unit, d.started_unit) for d in found[:count]]
