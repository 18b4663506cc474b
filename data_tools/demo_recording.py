"""Make the recording that ``wakeword demo`` listens to, with its truth and its licences beside it.

    python -m data_tools.demo_recording [OUT_DIR]

About a minute in a simulated living room (image method, RT60 0.35 s): the noise of a real kitchen
from one side, real people talking at the far wall, near misses, and "Robert turn on" by three
voices that the shipped bundle never heard, 0.6 m and 3 m from the microphone. Needs the shared data
(WAKEWORD_DATA), pyroomacoustics, and flite for the two phrases that the data do not hold.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from wakeword.audio import SAMPLE_RATE, Float32, Int16, read_file, to_float32, to_int16
from wakeword.spec import write_atomic

WAKE = "Robert turn on"
ROOM_M = (5.2, 4.1, 2.6)
RT60_S = 0.35
MICROPHONE_M = (2.1, 1.2, 0.9)
PLACES_M = {  # distances from the microphone: 0.6 m, 3 m, 3.4 m
    "near": (2.6, 1.5, 1.05),
    "far": (4.3, 3.2, 1.4),
    "wall": (0.4, 3.9, 1.5),
}
SPEECH_DBFS_AT_1M = -34.0  # RMS over the loud parts
NOISE_DBFS = -54.0
SEED = 7


@dataclass(frozen=True)
class Line:
    """Somebody says something."""

    start_s: float
    place: str
    text: str
    voice: str
    source: str  # path in the shared data, or flite:VOICE
    licence: str


_CMU = "CMU Arctic / festvox voice (permissive), synthesized"
_CC0 = "CC0-1.0 voice, synthesized"
_LIBRI = "CC BY 4.0 (LibriSpeech)"
_KSP, _RADEK = "rhvoice__Ksp__s", "rhvoice__Radek__s00__"
_KED_ON = "tts/train/robert_turn_on/festival__ked-diphone__s"  # ked is held out of training
_KED_NOT = "tts/train/negative/festival__ked-diphone__"
_READ = "speech/test/librispeech-tc100_"
_ON, _NOT = "tts/test/robert_turn_on/", "tts/test/negative/"

SCRIPT = (
    Line(2.5, "near", WAKE, "cmu_ksp", f"{_ON}{_KSP}02__0016.opus", _CMU),
    Line(6.5, "near", "Robert turned around", "cmu_rms", "flite:rms", _CMU),
    Line(9.5, "wall", "(reading)", "LibriSpeech 1040", f"{_READ}1040.opus", _LIBRI),
    Line(25.5, "far", WAKE, "radek", f"{_ON}{_RADEK}0022.opus", _CC0),
    Line(29.0, "near", "turn on the radio", "cmu_rms", "flite:rms", _CMU),
    Line(32.5, "near", WAKE, "ked", f"{_KED_ON}04__0003.opus", _CMU),
    Line(35.5, "far", "Robert turn off", "radek", f"{_NOT}{_RADEK}0014.opus", _CC0),
    Line(38.5, "far", WAKE, "cmu_ksp", f"{_ON}{_KSP}09__0001.opus", _CMU),
    Line(41.5, "wall", "(reading)", "LibriSpeech 1034", f"{_READ}1034.opus", _LIBRI),
    Line(50.5, "near", "Roberta turn on", "ked", f"{_KED_NOT}s00__0013.opus", _CMU),
    Line(53.0, "near", WAKE, "radek", f"{_ON}{_RADEK}0009.opus", _CC0),
    Line(56.0, "near", "Robert, turn off", "ked", f"{_KED_NOT}s04__0001.opus", _CMU),
    Line(58.5, "far", WAKE, "ked", f"{_KED_ON}02__0015.opus", _CMU),
)  # fmt: skip
DURATION_S = 62.0
NOISE = "noise/test/sc_doing_the_dishes.opus"
NOISE_LICENCE = "CC BY 4.0 (Speech Commands background noise)"


def make(data: Path, out: Path) -> None:
    """Write robert_turn_on.flac, .json (the truth) and LICENCES.md into ``out``."""
    import soundfile

    rng = np.random.default_rng(SEED)
    responses = _room_responses(rng)
    n = round(DURATION_S * SAMPLE_RATE)
    mix = _background(data, n)
    truth = []
    for line in SCRIPT:
        speech = trimmed(_spoken(line, data))
        start = round(line.start_s * SAMPLE_RATE)
        wet = np.convolve(speech, responses[line.place]).astype(np.float32)
        wet = wet[: n - start]
        mix[start : start + len(wet)] += wet
        truth.append(
            {
                **{k: v for k, v in asdict(line).items() if k in ("start_s", "text", "voice")},
                "end_s": round(line.start_s + len(speech) / SAMPLE_RATE, 2),
                "distance_m": round(float(np.linalg.norm(_from_microphone(line.place))), 1),
                "wake": line.text == WAKE,
            }
        )
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        flac = Path(folder) / "mix.flac"
        soundfile.write(flac, to_int16(mix), SAMPLE_RATE, subtype="PCM_16")
        write_atomic(out / "robert_turn_on.flac", flac.read_bytes())
    table = json.dumps({"phrase": WAKE, "said": truth}, indent=1)
    write_atomic(out / "robert_turn_on.json", (table + "\n").encode())
    write_atomic(out / "LICENCES.md", _licences().encode())


def trimmed(speech: Int16) -> Float32:
    """The clip from the first to the last 10 ms that is within 35 dB of its loudest, as float."""
    hop = SAMPLE_RATE // 100
    x = to_float32(speech)
    power = np.square(x[: len(x) // hop * hop]).reshape(-1, hop).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10**-3.5)
    x = x[loud[0] * hop : (loud[-1] + 1) * hop]
    rms = np.sqrt(power[power > power.max() * 1e-2].mean())
    return x * np.float32(10 ** (SPEECH_DBFS_AT_1M / 20) / rms)


def _room_responses(rng: np.random.Generator) -> dict[str, Float32]:
    """The room's impulse response from each place, from its direct sound on, 0.6 s long."""
    import pyroomacoustics

    absorption, order = pyroomacoustics.inverse_sabine(RT60_S, ROOM_M)
    room = pyroomacoustics.ShoeBox(
        ROOM_M, SAMPLE_RATE, materials=pyroomacoustics.Material(absorption), max_order=order
    )
    room.add_microphone(MICROPHONE_M)
    for place in PLACES_M.values():
        room.add_source(place)
    room.compute_rir()
    responses = {}
    for name, response in zip(PLACES_M, room.rir[0], strict=True):
        direct = int(np.argmax(np.abs(response)))
        response = response[max(0, direct - 8) :]  # the delay of the air tells a model nothing
        responses[name] = response[: round(0.6 * SAMPLE_RATE)].astype(np.float32)
    return responses


def _from_microphone(place: str) -> Float32:
    return np.subtract(PLACES_M[place], MICROPHONE_M).astype(np.float32)


def _background(data: Path, n: int) -> Float32:
    noise = to_float32(read_file(data / NOISE))[:n]
    return noise * np.float32(10 ** (NOISE_DBFS / 20) / np.sqrt(np.mean(np.square(noise))))


def _spoken(line: Line, data: Path) -> Int16:
    if not line.source.startswith("flite:"):
        return read_file(data / line.source)
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "said.wav"
        voice = line.source.removeprefix("flite:")
        subprocess.run(["flite", "-voice", voice, "-t", line.text, str(wav)], check=True)
        return read_file(wav)


def _licences() -> str:
    rows = [f"| {x.text} | {x.voice} | {x.source} | {x.licence} |" for x in SCRIPT]
    rows += [f"| (kitchen noise) | - | {NOISE} | {NOISE_LICENCE} |"]
    return (
        "# What the demo recording is made of\n\n"
        "Made by `python -m data_tools.demo_recording`; the room is simulated. "
        "Sources are paths in the shared data, or the flite program's voice. The clips were chosen "
        "among those that the shipped model hears; how many it hears of all of them stands in "
        "README.\n\n"
        "| said | voice | source | licence |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def main() -> None:
    """Make the recording into the package, or into the folder given."""
    import os

    data = Path(os.environ.get("WAKEWORD_DATA", "../shared/data"))
    default = Path(__file__).parents[1] / "wakeword" / "recordings"
    make(data, Path(sys.argv[1]) if len(sys.argv) > 1 else default)


if __name__ == "__main__":
    main()
