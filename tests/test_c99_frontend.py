"""The C front end gives pymicro-features' integers, whatever it hears and however it is fed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from c_library import Library

from firmware_export.model import Model
from wakeword.audio import Int16, read_file
from wakeword.bundle import Bundle
from wakeword.frontend import RAW_PER_UNIT, FrontEnd, quantize

N = 8 * 16_000
DATA = Path(os.environ.get("WAKEWORD_DATA", Path(__file__).parents[2] / "shared/data"))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(tmp_path_factory.mktemp("c99"), [Model.load(Bundle.load("robert_turn_on"))])


def impulses(value: int, every: int) -> Int16:
    audio = np.zeros(N, np.int16)
    audio[::every] = value
    return audio


def sounds() -> dict[str, Int16]:
    rng = np.random.default_rng(1)
    t = np.arange(N)
    fading = rng.normal(size=N) * np.exp(np.linspace(-2, 10.5, N))
    return {
        "noise": rng.integers(-3000, 3000, N).astype(np.int16),
        "full-scale noise": rng.integers(-32768, 32768, N).astype(np.int16),
        "one bit": rng.integers(-1, 2, N).astype(np.int16),
        "silence": np.zeros(N, np.int16),
        "constant": np.full(N, 32767, np.int16),
        "lowest constant": np.full(N, -32768, np.int16),
        "impulses": impulses(32767, 997),
        "lowest impulses": impulses(-32768, 1777),
        "tone": (32767 * np.sin(0.3 * t)).astype(np.int16),
        "square wave": np.where(np.sin(0.2 * t) > 0, 32767, -32768).astype(np.int16),
        "highest frequency": np.where(t % 2, 32767, -32768).astype(np.int16),
        "chirp": (20000 * np.sin(1e-5 * t.astype(float) ** 2)).astype(np.int16),
        "growing": fading.clip(-32768, 32767).astype(np.int16),
        "bursts": np.where(t % 16000 < 2000, fading * 0.1, 0).clip(-32768, 32767).astype(np.int16),
    }


def raw_frames(audio: Int16) -> np.ndarray:
    return np.rint(FrontEnd().push(audio) * RAW_PER_UNIT).astype(np.int64)


@pytest.mark.parametrize("sound", sounds())
def test_frames_are_the_librarys_integers(library: Library, sound: str) -> None:
    audio = sounds()[sound]
    np.testing.assert_array_equal(library.frames(audio), raw_frames(audio))


def test_frames_of_a_minute_of_speech_are_the_librarys_integers(
    library: Library, recording: Int16
) -> None:
    expected = raw_frames(recording)
    assert expected.max() > 400, "nothing was said: nothing was compared"
    np.testing.assert_array_equal(library.frames(recording), expected)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no shared data in {DATA} (WAKEWORD_DATA)")
@pytest.mark.parametrize("kind", ["speech", "noise", "rir"])
def test_frames_of_real_recordings_are_the_librarys_integers(library: Library, kind: str) -> None:
    for path in sorted((DATA / kind).rglob("*.*"))[:3]:
        audio = read_file(path)[:N]
        np.testing.assert_array_equal(library.frames(audio), raw_frames(audio))


@pytest.mark.parametrize("block", [1, 159, 160, 161, 480, 4001])
def test_the_block_size_changes_nothing(library: Library, recording: Int16, block: int) -> None:
    audio = recording[:16_000]
    np.testing.assert_array_equal(library.frames(audio, block), raw_frames(audio))


def test_without_a_processors_own_instructions_everything_is_the_same(
    tmp_path: Path, library: Library, recording: Int16
) -> None:
    plain = Library(tmp_path, [Model.load(Bundle.load("robert_turn_on"))], ["-DWW_PLAIN_C"])
    audio = recording[:64_000]
    np.testing.assert_array_equal(plain.frames(audio), raw_frames(audio))
    given = quantize(FrontEnd().push(audio))
    np.testing.assert_array_equal(plain.outputs(given), library.outputs(given))


def test_every_raw_value_is_quantized_as_on_the_pi(library: Library) -> None:
    quantized = library._c.ww_quantize_channel
    quantized.restype = np.ctypeslib.ctypes.c_int8
    raw = np.arange(701)
    expected = quantize((raw / RAW_PER_UNIT).astype(np.float32))
    assert [quantized(int(r)) for r in raw] == expected.tolist()
