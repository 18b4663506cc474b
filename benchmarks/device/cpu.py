"""CPU, memory and start-up of the detector beside pymicro-wakeword, in one run.

    python benchmarks/device/cpu.py [--json OUT] [--minutes 60] [--rounds 5] [--only KIND]
        [--models NAME ...] [--openwakeword PYTHON]

Each contender hears the same audio in a process of its own; the rounds alternate between them, and
the medians and the ratios to pymicro-wakeword are printed. CPU is user + system time of the whole
process (start-up too) per second of audio, peak memory that of the process, ready the time from
its start to its first block. Ours hears blocks of 90 ms, as `wakeword listen` reads them, the
others of 80 ms. With several models in one detector the peer runs as many of its own on one front
end. openWakeWord needs an environment of its own: PYTHON is the interpreter of one with
`pip install openwakeword==0.5.1 'numpy<2'`, the last version that brings its models; it runs its
"alexa" in tflite-runtime. Two kinds of audio:

- speech: the demo recording over and over, hardly ever quiet;
- household: one fifth speech, the rest the quiet hiss of a room (pink noise at -60 dBFS).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

# Not imported here: what a contender imports is part of its start-up.
if TYPE_CHECKING:
    import numpy as np

SAMPLE_RATE = 16_000
PEER_MODELS = 4  # that pymicro-wakeword brings


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--json", type=Path)
    arguments.add_argument("--minutes", type=float, default=60.0)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--only", default="", help="kinds of audio with this in their name")
    arguments.add_argument("--openwakeword", metavar="PYTHON")
    arguments.add_argument(
        "--models", nargs="+", default=["robert_turn_on"], help="bundles of ours"
    )
    arguments.add_argument("--contender", help=argparse.SUPPRESS)
    arguments.add_argument("--audio", type=Path, help=argparse.SUPPRESS)
    arguments.add_argument("--block-samples", type=int, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if len(options.models) > PEER_MODELS:
        arguments.error(f"--models: {len(options.models)}; the peer has {PEER_MODELS} of its own")
    if options.contender:
        heard = hear(options.contender, options.models, options.audio, options.block_samples)
        print(json.dumps(heard))
        return
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, audio in make_audio(options.minutes).items():
            if options.only not in kind:
                continue
            path = Path(folder) / f"{kind}.raw"
            path.write_bytes(audio.tobytes())
            results[kind] = compare(path, options.rounds, options.models, options.openwakeword)
            show(kind, results[kind])
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def make_audio(minutes: float) -> dict[str, np.ndarray]:
    """(n,) int16 for each kind of audio."""
    import numpy as np

    from wakeword.audio import read_file, to_int16
    from wakeword.demo import RECORDING

    n = round(minutes * 60) * SAMPLE_RATE
    speech = np.resize(read_file(RECORDING), n)
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=n))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    hiss = np.fft.irfft(spectrum, n)
    hiss *= 10 ** (-60 / 20) / np.sqrt(np.mean(np.square(hiss)))
    household = to_int16(hiss)
    for start in range(0, n, 100 * SAMPLE_RATE):  # 20 s of every 100
        household[start : start + 20 * SAMPLE_RATE] = speech[start : start + 20 * SAMPLE_RATE]
    return {"speech": speech, "household": household}


CONTENDERS = ("pymicro-wakeword", "wakeword, gate held open", "wakeword")
OPENWAKEWORD = "openWakeWord"


def hear(contender: str, models: list[str], path: Path, block_samples: int) -> dict[str, float]:
    """Run one contender over the audio; called in a process of its own.

    ``models`` are ours; of its own, pymicro-wakeword runs as many.
    """
    if contender == "pymicro-wakeword":
        from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

        features = MicroWakeWordFeatures()
        peers = [MicroWakeWord.from_builtin(m) for m in list(Model)[-len(models) :]]

        def push(block: bytes) -> None:
            for frame in features.process_streaming(block):
                for peer in peers:
                    peer.process_streaming(frame)
    elif contender == OPENWAKEWORD:
        import numpy as np
        from openwakeword.model import Model as OpenModel

        open_model = OpenModel(wakeword_models=["alexa"], inference_framework="tflite")

        def push(block: bytes) -> None:
            open_model.predict(np.frombuffer(block, np.int16))
    else:
        import numpy as np

        from wakeword.detector import Detector

        detector = Detector.load(*models, gate=contender == "wakeword")

        def push(block: bytes) -> None:
            detector.push(np.frombuffer(block, np.int16))

    ready_s = since_start_s()
    with path.open("rb") as file:
        while block := file.read(2 * block_samples):
            push(block)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    audio_s = path.stat().st_size / 2 / SAMPLE_RATE
    return {
        "cpu_s_per_s": (usage.ru_utime + usage.ru_stime) / audio_s,
        "peak_mb": peak_mb(),
        "ready_s": ready_s,
    }


def since_start_s() -> float:
    """How long ago this process was started, to 10 ms."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[19])  # starttime of proc(5)
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def peak_mb() -> float:
    """Peak resident memory of this process; ru_maxrss would remember the parent's."""
    row = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    return int(row.split()[1]) / 1000


def compare(
    path: Path, rounds: int, models: list[str], openwakeword: str | None = None
) -> dict[str, dict[str, float]]:
    """Medians of each contender, and the median of its CPU ratio to the first, round by round."""
    # Asked here: of those that are compared, none opens a microphone.
    from wakeword.capture import BLOCK_S

    blocks = dict.fromkeys(CONTENDERS[1:], str(round(BLOCK_S * SAMPLE_RATE)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    interpreters = dict.fromkeys(CONTENDERS, sys.executable)
    if openwakeword:
        interpreters[OPENWAKEWORD] = openwakeword
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in interpreters}
    for number in range(rounds + 1):
        for name, interpreter in interpreters.items():
            command = [interpreter, __file__, "--contender", name, "--models", *models]
            command += ["--audio", str(path), "--block-samples", blocks.get(name, "1280")]
            done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
            if number:  # the first round warms the disk cache
                rows[name].append(json.loads(done.stdout))
    peer = [row["cpu_s_per_s"] for row in rows[CONTENDERS[0]]]
    results = {}
    for name, measured in rows.items():
        results[name] = {k: statistics.median(row[k] for row in measured) for k in measured[0]}
        ratios = [row["cpu_s_per_s"] / p for row, p in zip(measured, peer, strict=True)]
        results[name]["cpu_ratio"] = statistics.median(ratios)
    return results


def show(kind: str, result: dict[str, dict[str, float]]) -> None:
    print(f"\n{kind:<28}{'CPU s/s':>10}{'ratio':>8}{'peak MB':>9}{'ready s':>9}")
    for name, row in result.items():
        print(
            f"  {name:<26}{row['cpu_s_per_s']:>10.5f}{row['cpu_ratio']:>8.2f}"
            f"{row['peak_mb']:>9.1f}{row['ready_s']:>9.3f}"
        )


if __name__ == "__main__":
    main()
