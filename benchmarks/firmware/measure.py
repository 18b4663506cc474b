"""What docs/firmware.md states: exactness over hours, CPU on this machine, size and instructions.

python benchmarks/firmware/measure.py [BUNDLE] [--hours 1] [--audio FOLDER] [-o FILE]

Exactness: audio files (by default the shared data's speech, else the shipped recording again and
again) are cut to pieces of five minutes; each is run through pymicro-features, TFLite's reference
kernels and the Python decision, and through the exported C, and then through the Python detector.
Phrases: the same over the shared data's clips of the phrase, end to end, once.
Host: the tool as its Makefile builds it, by gcc and clang by turns, over ten minutes of recording.
Sizes and instructions: arm-none-eabi-gcc and qemu-system-arm, over the shipped recording.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from data_tools.tables import shared_folder
from firmware_export import c99, golden
from firmware_export.model import Model
from firmware_export.verify import compile_c
from wakeword.audio import SAMPLE_RATE, read_file
from wakeword.bundle import Bundle
from wakeword.demo import RECORDING
from wakeword.detector import Detector

PIECE_S = 300
SOUND = {".wav", ".flac", ".ogg", ".opus", ".mp3"}
CORES = {"cortex-m4": "mps2-an386", "cortex-m0plus": "mps2-an385"}


def default_audio() -> Path | None:
    data = shared_folder()
    return data / "speech" if data else None


def pieces(folder: Path | None, hours: float) -> Iterator[np.ndarray]:
    files = [RECORDING]
    if folder:
        files = sorted(p for p in folder.rglob("*") if p.suffix in SOUND)
    np.random.default_rng(1).shuffle(files)
    held, left = np.empty(0, np.int16), round(hours * 3600 / PIECE_S)
    for path in itertools.cycle(files):
        held = np.concatenate([held, read_file(path)])
        while len(held) >= PIECE_S * SAMPLE_RATE:
            piece, held = np.split(held, [PIECE_S * SAMPLE_RATE])
            yield piece
            left -= 1
            if left <= 0:
                return


def child_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def exactness(model: Model, folder: Path, audio: Iterable[np.ndarray]) -> dict:
    test = compile_c(folder, "golden/golden_test.c", folder / "golden_test")
    host = compile_c(folder, "host/wakeword_host.c", folder / "wakeword_host", ("-O3",))
    total: dict[str, list[int]] = {}
    figures = {"hours": 0.0, "c_cpu_s": 0.0, "python_cpu_s": 0.0, "detections": 0,
               "python_detections": 0, "same_time": 0, "within_two_steps": 0}  # fmt: skip
    for piece in audio:
        (folder / "golden.bin").write_bytes(golden.make([model], piece).pack())
        done = subprocess.run([test, folder / "golden.bin"], capture_output=True, text=True)
        for words in (line.split() for line in done.stdout.splitlines()):
            if len(words) == 5:
                row = total.setdefault(words[0], [0, 0, 0])
                row[0] += int(words[2])
                row[1] += int(words[3])
                row[2] = max(row[2], int(words[4]))
        before = child_seconds()
        said = subprocess.run([host], input=piece.tobytes(), capture_output=True).stdout
        figures["c_cpu_s"] += child_seconds() - before
        before = time.process_time()
        device = [d.time_s for d in Detector([model.bundle], gate=False).push(piece)]
        figures["python_cpu_s"] += time.process_time() - before
        ours = [json.loads(line)["time_s"] for line in said.splitlines()]
        apart = [min((abs(t - d) for d in device), default=9.0) for t in ours]
        figures["detections"] += len(ours)
        figures["python_detections"] += len(device)
        figures["same_time"] += sum(a < 0.001 for a in apart)
        figures["within_two_steps"] += sum(a < 0.061 for a in apart)
        figures["hours"] += PIECE_S / 3600
    seconds = max(figures["hours"] * 3600, 1)
    figures["c_cpu_s_a_second"] = figures["c_cpu_s"] / seconds
    figures["python_cpu_s_a_second"] = figures["python_cpu_s"] / seconds
    figures["stages"] = {k: dict(zip(("compared", "differ", "largest"), v, strict=True))
                         for k, v in total.items()}  # fmt: skip
    return figures


def host(folder: Path, rounds: int) -> dict:
    """CPU and instructions of the host tool for each second of audio."""
    audio = np.tile(read_file(RECORDING), 10).tobytes()
    seconds = len(audio) / 2 / SAMPLE_RATE
    tools, figures = {}, {}
    for compiler in filter(shutil.which, ("gcc", "clang")):
        subprocess.run(["make", "-s", "-B", "-C", folder, "wakeword_host", f"CC={compiler}"],
                       check=True)  # fmt: skip
        tools[compiler] = (folder / "wakeword_host").rename(folder / f"host_{compiler}")
        figures[compiler] = {"cpu_s_a_second": []}
    for _, (compiler, tool) in itertools.product(range(rounds), tools.items()):
        before = child_seconds()
        subprocess.run([tool], input=audio, capture_output=True, check=True)
        figures[compiler]["cpu_s_a_second"].append((child_seconds() - before) / seconds)
    for compiler, tool in tools.items():
        row = figures[compiler]
        row["median"] = statistics.median(row["cpu_s_a_second"])
        if shutil.which("valgrind"):
            said = subprocess.run(
                ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                 tool], input=audio[: len(audio) // 10], capture_output=True,
            ).stderr.decode()  # fmt: skip
            (count,) = re.findall(r"refs:\s+([\d,]+)", said)
            row["million_instructions_a_second"] = (
                int(count.replace(",", "")) / 1e6 / (seconds / 10)
            )
    return figures


def emulated(model: Model, folder: Path, seconds: int) -> dict:
    bare_metal = folder / "examples/bare_metal"
    audio = read_file(RECORDING)[: seconds * SAMPLE_RATE]
    audio.tofile(bare_metal / "audio.raw")
    (of,) = golden.make([model], audio).models
    wanted = golden.decide(model, of.outputs, model.least_score(model.bundle.threshold())).tolist()
    figures = {}
    for (cpu, machine), level in itertools.product(CORES.items(), ("-O2", "-O3", "-Os")):
        (bare_metal / "wakeword.elf").unlink(missing_ok=True)
        make = ["make", "-s", "-C", bare_metal, "run", f"CPU={cpu}", f"MACHINE={machine}",
                f"CFLAGS={level}"]  # fmt: skip
        said = subprocess.run(make, capture_output=True, text=True, check=True).stdout
        heard = [
            list(map(int, x.split()[1:])) for x in said.splitlines() if x.startswith(model.name)
        ]
        numbers = re.search(r"(\d+) instructions a unit, (\d+) at most, (\d+) bytes", said)
        mean, most, stack = map(int, numbers.groups())
        figures[f"{cpu} {level}"] = {
            "code_bytes": code_bytes(folder, cpu, level), "stack_bytes": stack,
            "instructions_a_unit": mean, "most": most, "million_a_second": mean / 0.03 / 1e6,
            "detections": len(heard), "equal_to_the_pis": heard == wanted,
        }  # fmt: skip
    return figures


def code_bytes(folder: Path, cpu: str, level: str) -> dict:
    with tempfile.TemporaryDirectory() as scratch:
        sources = sorted((folder / "src").glob("*.c"))
        subprocess.run(
            ["arm-none-eabi-gcc", f"-mcpu={cpu}", "-mthumb", "-std=c99", level, "-c",
             f"-I{folder / 'src'}", *sources], cwd=scratch, check=True,
        )  # fmt: skip
        said = subprocess.run(["arm-none-eabi-size", *sorted(Path(scratch).glob("*.o"))],
                              capture_output=True, text=True, check=True).stdout  # fmt: skip
        sizes = {Path(x.split()[-1]).stem: int(x.split()[0]) for x in said.splitlines()[1:]}
    code = sum(
        sizes[n]
        for n in ("wakeword", "ww_frontend", "ww_spectrum", "ww_kernels", "ww_phrase")
        if n in sizes
    )
    return {"code": code, "all_flash": sum(sizes.values())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", nargs="?", default="robert_turn_on")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--audio", type=Path, default=default_audio())
    parser.add_argument("--rounds", type=int, default=5, help="of the host tool")
    parser.add_argument("-o", dest="path", type=Path, help="the JSON file; else standard output")
    parser.add_argument("--seconds", type=int, default=62, help="of the recording, emulated")
    arguments = parser.parse_args()
    model = Model.load(Bundle.load(arguments.bundle))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, data in c99.files([model], golden.make([model], golden.default_audio())).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        clips = (data / "tts/test" / model.name) if (data := shared_folder()) else Path("none")
        said = sum(len(read_file(p)) for p in clips.rglob("*") if p.suffix in SOUND)
        phrases = pieces(clips, said / SAMPLE_RATE / 3600) if said else []
        figures = {
            "bundle": model.name,
            "model_sha256": model.bundle.extension.model_sha256,
            "exactness": exactness(model, folder, pieces(arguments.audio, arguments.hours)),
            "phrases": exactness(model, folder, phrases),
            "host": host(folder, arguments.rounds),
            "emulated": emulated(model, folder, arguments.seconds),
        }
    text = json.dumps(figures, indent=2) + "\n"
    if arguments.path:
        arguments.path.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
